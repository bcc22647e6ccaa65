import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, openDirectory } from '@oci-tar/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exported, temporaryDirectory, treeOf } from './files.ts';
import { here, makeSamples } from './images.ts';
import type { Samples } from './images.ts';
import { lackingTool, startPeers, the } from './pairs/peers.ts';
import { readers } from './pairs/readers.ts';
import type { Got, Handed, HandedImage } from './pairs/readers.ts';
import { documentedTable } from './pairs/table.ts';
import { handedImages, writtenAt } from './pairs/written.ts';
import type { Written } from './pairs/written.ts';
import { received, writers } from './pairs/writers.ts';
import { failureOf } from './peers/tool.ts';

let directory: string;
let samples: Samples;
let peers: Awaited<ReturnType<typeof startPeers>>;
beforeAll(async () => {
  directory = await temporaryDirectory();
  [samples, peers] = await Promise.all([makeSamples(directory), startPeers(directory)]);
}, 180_000);
afterAll(async () => {
  await peers.stop();
  await rm(directory, { recursive: true, force: true });
}, 180_000);

/** What the documentation promises is what is asserted here. */
const table = documentedTable('from');
const expectedAt = (writer: string, reader: string) => table.rows.get(writer)?.[table.columns.indexOf(reader)];

/** How a reader refuses, by the words that stand in the table. */
const refusals: Readonly<Record<string, RegExp>> = {
  'refused: index': /tag is ambiguous/,
};

const importing = '`oci-tar import`';

describe('the table of who reads what of whom', () => {
  it('has a row for each way of writing and a column for each way of reading', () => {
    expect([...table.rows.keys()]).toEqual(writers.map(({ name }) => name));
    expect(table.columns).toEqual([importing, ...readers.map(({ name }) => name)]);
  });
});

/** How much of what was written a tool has kept, in the words of the table. */
function keptOf(written: Written, images: readonly HandedImage[], got: readonly Got[]): string {
  const isKept = (by: (image: HandedImage, i: number) => boolean) => images.length > 0 && images.length === got.length && images.every(by);
  if ('digests' in written && isKept((_, i) => written.digests.includes(got[i]?.digest ?? ''))) return 'manifest';
  if ('digests' in written && isKept(({ manifest }, i) => got[i]?.digest === manifest)) return 'platform';
  return isKept(({ config }, i) => got[i]?.config === config) ? 'ID' : 'other';
}

for (const writer of writers) {
  describe(`what ${titled(writer)} writes`, { timeout: 180_000 }, () => {
    const missing = lackingTool(writer.tool);
    let own: string;
    let written: Written;
    let handed: Handed;
    beforeAll(async () => {
      if (missing !== undefined) return;
      own = await mkdtemp(join(directory, 'pair-'));
      const path = await writer.write(peers, samples, own);
      written = await writtenAt(writer, path);
      const store = await received(writer, path, own);
      const images = await handedImages(store);
      handed = { store, images, sparse: writer.sparse === true, archive: await exported(own, store, images.map(({ name }) => name)) };
    }, 180_000);

    it('is imported by us, verified and exported', ({ skip }) => {
      skip(missing !== undefined, missing);
      const { images } = handed;
      if ('configs' in written) expect(images.map(({ config }) => config).toSorted()).toEqual(written.configs.toSorted());
      expect(keptOf(written, images, images)).toBe(expectedAt(writer.name, importing));
    });

    describe('and we export', { concurrent: true }, () => {
      for (const reader of readers) {
        it(`is read by ${titled(reader)} as the documentation says`, async ({ skip, expect: expectHere }) => {
          const lacking = missing ?? lackingTool(reader.tool);
          skip(lacking !== undefined, lacking);
          const expected = expectedAt(writer.name, reader.name) ?? '';
          const refusal = refusals[expected];
          const reading = reader.read(peers, handed, own);
          if (refusal === undefined) expectHere(keptOf(written, handed.images, await reading)).toBe(expected);
          else expectHere(await failureOf(reading)).toMatch(refusal);
        });
      }
    });
  });
}

describe('where only one platform of an index is there', () => {
  it('skopeo refuses to copy the whole index', async ({ skip }) => {
    const lacking = lackingTool('skopeo');
    skip(lacking !== undefined, lacking);
    const archive = await exported(directory, samples.store, [samples.of.multi.name], { platforms: [here] });
    const all = the(peers, 'skopeo')('copy', '--all', `oci-archive:${archive}`, `dir:${join(directory, 'whole')}`);
    expect(await failureOf(all)).toMatch(/no such file or directory/);
  });
});

describe('where umoci refuses an index of several platforms', () => {
  it('it reads the smaller one, of a single platform, that --rewrite-index makes', async ({ skip }) => {
    const lacking = lackingTool('umoci');
    skip(lacking !== undefined, lacking);
    const own = await mkdtemp(join(directory, 'smaller-'));
    const target = await openDirectory(join(own, 'layout'), { mayBeNew: true });
    await copyImage({ source: samples.store, target, reference: samples.of.multi.name, name: 'm', platforms: [here], rewriteIndex: true }).finally(() => target.close());
    await the(peers, 'umoci')('raw', 'unpack', ...(process.getuid?.() === 0 ? [] : ['--rootless']), '--image', `${join(own, 'layout')}:m`, join(own, 'rootfs'));
    expect(await treeOf(join(own, 'rootfs'))).toEqual(await treeOf(samples.merged));
  });
});

function titled({ name }: { readonly name: string }): string {
  return name.replaceAll('`', '');
}
