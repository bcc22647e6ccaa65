import { bytesSource, importImages, importStream, readArchive, tarReader } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { listed, memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { forms, sampleImage, tarOf } from './docker-archives.ts';
import type { Entry } from './docker-archives.ts';
import fc from '../support/fast-check.ts';

const images = [await sampleImage(), await sampleImage({ tags: ['b:1', 'c:2'], layers: [{ hello: 'lower\n' }, { hello: 'lower\n' }] })];

async function imported(entries: readonly Entry[], way: 'file' | 'pipe'): Promise<readonly string[]> {
  const target: ImageStore = memoryStore();
  const archive = tarOf(entries);
  if (way === 'pipe') await importStream(cut(archive), { target });
  else await importImages(await readArchive(await tarReader(bytesSource(archive))), { target });
  return (await listed(target)).map(({ name, descriptor }) => `${name} ${descriptor.digest}`).toSorted();
}

describe.each(Object.entries(forms))('the entries of an archive as %s writes it', (_form, write) => {
  it('give the same images in any order, with ./ or without, some of them twice, in a folder or not, by file and by pipe', async () => {
    const entries = await write(...images);
    const reference = await imported(entries, 'file');
    expect(reference).toHaveLength(3);
    const arbitrary = fc.record({
      order: fc.shuffledSubarray([...entries], { minLength: entries.length }),
      again: fc.subarray([...entries]),
      dots: fc.infiniteStream(fc.boolean()),
      prefix: fc.constantFrom('', '', 'image/', 'a/b/'),
      way: fc.constantFrom('file', 'pipe'),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ order, again, dots, prefix, way }) => {
        const shuffled = [...order, ...again].map((entry) => ({ ...entry, name: `${dots.next().value === true ? './' : ''}${prefix}${entry.name}` }));
        expect(await imported(shuffled, way === 'file' ? 'file' : 'pipe')).toEqual(reference);
      }),
      { numRuns: 30 },
    );
  });
});
