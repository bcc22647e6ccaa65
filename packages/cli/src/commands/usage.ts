import { existsSync } from 'node:fs';
import { isDedupStore } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { UsageError } from '../failure.ts';
import { isPathLike, placeOf, withSource } from '../places.ts';
import { counted, formatSize } from '../style.ts';

export const command = defineCommand({
  spec: '[place]',
  words: { place: 'A store (dedup:DIR, oci:DIR, ./layout); the local store by default' },
  options: {},
  examples: [
    ['oci-tar usage', 'the local store'],
    ['oci-tar usage dedup:images', 'a deduplicated store: what it would take if it kept blobs whole, and what it takes'],
  ],
  remarks: 'Counts every blob that is there, whether an image needs it or not: see oci-tar prune.',
  async run([word = 'store:'], _, context) {
    const name = word === 'store:' ? context.store : word;
    const place = placeOf(word);
    if (place.reference !== undefined) {
      const path = existsSync(place.path ?? word) ? (place.path ?? word) : undefined;
      throw new UsageError(`${word} is one image of a place, and usage counts a whole place`, path === undefined ? 'Name a store: dedup:DIR, oci:DIR, or nothing for the local store.' : `To mean that directory, write ${isPathLike(path) ? path : `./${path}`}.`);
    }
    const usage = await withSource(context, place, usageOf);
    const saved = usage.logicalBytes - usage.storedBytes;
    const share = usage.logicalBytes === 0 ? 0 : Math.round((100 * saved) / usage.logicalBytes);
    const parts = usage.layersTakenApart === 0 ? '' : `; ${counted(usage.layersTakenApart, 'layer')} taken apart into ${counted(usage.files, 'file')}`;
    const saves = usage.layersTakenApart === 0 ? '' : `, ${formatSize(Math.abs(saved))} (${Math.abs(share)} %) ${saved < 0 ? 'more' : 'saved'}`;
    await print(context, { json: { place: name, ...usage, savedBytes: saved }, text: `${name}: ${counted(usage.blobs, 'blob')} of ${formatSize(usage.logicalBytes)} in ${formatSize(usage.storedBytes)}${saves}${parts}\n` });
  },
});

interface Usage {
  readonly blobs: number;
  readonly logicalBytes: number;
  readonly layersTakenApart: number;
  readonly files: number;
  readonly storedBytes: number;
}

async function usageOf(store: ImageStore): Promise<Usage> {
  if (isDedupStore(store)) return store.usage();
  if (store.blobs === undefined) throw new UsageError(`${store.name} does not tell what lies there`);
  let [blobs, bytes] = [0, 0];
  for await (const { size } of store.blobs()) {
    blobs += 1;
    bytes += size;
  }
  return { blobs, logicalBytes: bytes, layersTakenApart: 0, files: 0, storedBytes: bytes };
}
