import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { importImages, localStore, openArchive, verifyImages } from '@oci-tar/core';
import type { CopyEvent } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { soundBlobs } from '../hostile/attempt.ts';
import { listed } from '../support/images.ts';
import { Child, inFolder, scriptOf, writeArchive } from './processes.ts';

const name = 'docker.io/library/hello:1';
const layers = Array.from({ length: 8 }, (_, i) => ({ [`layer-${i}`]: `${i} `.repeat(20_000) }));

/** Imports until so many blobs are there, says so, and waits to be killed. */
const script = `
const [store, archive, way, count] = process.argv.slice(2);
const target = await core.localStore(store);
const forever = new Promise(() => setInterval(() => {}, 1000));
if (way === 'pipe') {
  const { readFile, readdir } = await import('node:fs/promises');
  const bytes = await readFile(archive);
  await core.importStream((async function* () {
    yield bytes.subarray(0, bytes.length * Number(count) / 10);
    while ((await readdir(store + '/blobs/sha256').catch(() => [])).length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    console.log('waits');
    await forever;
  })(), { target });
} else {
  let done = 0;
  const source = await core.openArchive(archive);
  const open = source.open.bind(source);
  source.open = async (blob) => {
    const bytes = await open(blob);
    return { size: bytes.size, read: (...range) => (async function* () {
      if (done >= Number(count)) {
        console.log('waits');
        await forever;
      }
      yield* bytes.read(...range);
    })() };
  };
  await core.importImages(source, { target, jobs: 1, onEvent: (event) => { if (event.type === 'done') done++; } });
}
`;

describe('an import that was killed', () => {
  it.each(['file', 'pipe'])('is continued by the next one: what was there is not written again (from a %s)', { timeout: 180_000 }, (way) =>
    inFolder(async (folder) => {
      const path = await scriptOf(folder, script);
      const archive = join(folder, 'in.tar');
      await writeArchive(archive, { name, layers });
      const store = join(folder, 'store');
      const child = new Child(path, store, archive, way, '5');
      expect(await child.line()).toBe('waits');
      child.process.kill('SIGKILL');
      await child.exited;
      const there = await soundBlobs(store);
      expect(there).toBeGreaterThan(2);

      const target = await localStore(store);
      const source = await openArchive(archive);
      const events: CopyEvent['type'][] = [];
      await importImages(source, { target, onEvent: ({ type }) => void events.push(type) });
      await source.close();
      // The layers, a config and a manifest.
      expect(events.filter((type) => type === 'exists')).toHaveLength(there);
      expect(events.filter((type) => type === 'start')).toHaveLength(layers.length + 2 - there);
      expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
      await target.close();
      expect((await readdir(store)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
    }));
});
