import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { importImages, localStore, openArchive, verifyImages } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { soundBlobs } from '../hostile/attempt.ts';
import { listed } from '../support/images.ts';
import { Child, inFolder, scriptOf, writeArchive } from './processes.ts';

const processes = 8;
const numbers = Array.from({ length: processes }, (_, i) => i);

const ownName = (n: number) => `docker.io/library/own-${n}:1`;
const sharedName = 'docker.io/library/shared:1';

/** Waits for its start, does the work and says what went wrong. */
const waiting = (work: string) => `
const [store, ...args] = process.argv.slice(2);
const target = await core.localStore(store);
const { createReadStream } = await import('node:fs');
const { once } = await import('node:events');
console.log('ready');
await once(process.stdin, 'data');
process.stdin.destroy();
try {
  ${work}
  await target.close();
  console.log('done');
} catch (error) {
  console.log(error.stack);
}
`;

/** Starts them all, lets them begin together, and returns their last words. */
async function together(script: string, argumentLists: readonly (readonly string[])[]): Promise<readonly (string | undefined)[]> {
  const children = argumentLists.map((args) => new Child(script, ...args));
  for (const child of children) expect(await child.line()).toBe('ready');
  for (const child of children) child.say('go');
  const words = await Promise.all(children.map((child) => child.line()));
  await Promise.all(children.map(({ exited }) => exited));
  return words;
}

async function soundAndClean(path: string): Promise<ReadonlyMap<string | undefined, string>> {
  const store = await localStore(path);
  const images = await listed(store);
  expect((await verifyImages(store, images)).problems).toEqual([]);
  await store.close();
  expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
  return new Map(images.map(({ name, descriptor }) => [name, descriptor.digest]));
}

describe('eight processes', () => {
  it('that import into one new store lose nothing, also where they share blobs and a name', { timeout: 180_000 }, () =>
    inFolder(async (folder) => {
      const script = await scriptOf(
        folder,
        waiting(`
        const [archive, way] = args;
        if (way === 'pipe') await core.importStream(createReadStream(archive, { highWaterMark: 10_000 }), { target });
        else {
          const source = await core.openArchive(archive);
          await core.importImages(source, { target });
          await source.close();
        }`),
      );
      const common = Array.from({ length: 5 }, (_, i) => ({ common: `${i} `.repeat(20_000) }));
      for (const n of numbers) {
        const own = { [`file-${n}`]: `${n}`.repeat(100_000) };
        await writeArchive(join(folder, `${n}.tar`), { name: ownName(n), layers: [...common, own] }, { name: sharedName, layers: [...common, { shared: `by ${n}` }] });
      }
      const path = join(folder, 'store');
      const words = await together(script, numbers.map((n) => [path, join(folder, `${n}.tar`), n % 2 === 0 ? 'file' : 'pipe']));
      expect(words).toEqual(numbers.map(() => 'done'));

      const images = await soundAndClean(path);
      expect([...images.keys()].sort()).toEqual([...numbers.map(ownName), sharedName].sort());
      // Five common layers; a manifest, a config and a layer for each own and each shared image.
      expect(await soundBlobs(path)).toBe(5 + 2 * processes * 3);
    }));

  it('that tag, remove, list and verify in one store lose no name and see no half-written index', { timeout: 180_000 }, () =>
    inFolder(async (folder) => {
      const script = await scriptOf(
        folder,
        waiting(`
        const [role, n] = args;
        if (role === 'write') {
          for (let round = 0; round < 6; round++) {
            await core.tagImage(target, 'own-' + n + ':1', 'tag-' + n + ':' + round);
            await core.tagImage(target, 'own-' + n + ':1', 'contested:' + round);
            if (round % 2 === 1) await core.removeImage(target, 'tag-' + n + ':' + round);
          }
          await core.removeImage(target, 'own-' + n + ':1');
        } else {
          for (let round = 0; round < 150; round++) {
            let kept = false;
            for await (const { name } of target.images()) kept ||= name === 'docker.io/library/shared:1';
            if (!kept) throw new Error('shared:1 was not listed');
            await core.verifyImages(target, [await target.resolve('shared:1')]).then(core.assertVerified);
          }
        }`),
      );
      const path = join(folder, 'store');
      const store = await localStore(path);
      const archive = join(folder, 'in.tar');
      await writeArchive(archive, { name: sharedName }, ...numbers.map((n) => ({ name: ownName(n), layers: [{ own: `${n}` }] })));
      const source = await openArchive(archive);
      await importImages(source, { target: store });
      await source.close();
      await store.close();
      const before = await soundAndClean(path);

      const words = await together(script, [...numbers.slice(0, 6).map((n) => [path, 'write', `${n}`]), [path, 'read', ''], [path, 'read', '']]);
      expect(words).toEqual(words.map(() => 'done'));

      const after = await soundAndClean(path);
      const tagged = numbers.slice(0, 6).flatMap((n) => [0, 2, 4].map((round) => `docker.io/library/tag-${n}:${round}`));
      const contested = [0, 1, 2, 3, 4, 5].map((round) => `docker.io/library/contested:${round}`);
      expect([...after.keys()].sort()).toEqual([...tagged, ...contested, ownName(6), ownName(7), sharedName].sort());
      for (const n of [0, 5]) expect(after.get(`docker.io/library/tag-${n}:2`)).toBe(before.get(ownName(n)));
    }));
});
