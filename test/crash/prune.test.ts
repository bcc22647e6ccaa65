import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryDriver, importImages, localStore, memoryDriver, openArchive, pruneStore, removeImage, verifyImages } from '@oci-tar/core';
import type { ImageDriver } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { filled, soundBlobs } from '../hostile/attempt.ts';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { seed } from '../support/seed.ts';
import { Child, inFolder, random, scriptOf, writeArchive } from './processes.ts';

const nameOf = (n: number) => `docker.io/library/image-${n}:1`;

/**
 * A writer imports over and over and takes its name away again, so that there is always something to prune that the next
 * import relies on; each time the image has to verify. A pruner prunes over and over. Each says when it has done `enough` (a writer
 * so many rounds, a pruner so many blobs), and goes on until it is told to stop.
 */
const script = `
const [store, role, way, enough, ...archives] = process.argv.slice(2);
const { createReadStream } = await import('node:fs');
let stop = false;
process.stdin.on('data', () => (stop = true));
process.stdin.on('end', () => (stop = true));
let done = 0;
console.log('begins');
try {
  for (let round = 0; !stop; round++) {
    const before = done;
    const target = await core.localStore(store);
    if (role === 'prune') done += (await core.pruneStore(target)).blobs;
    else {
      const archive = archives[round % archives.length];
      const name = role + ':' + (round % 3);
      if (way === 'pipe') await core.importStream(createReadStream(archive, { highWaterMark: 30_000 }), { target, name });
      else {
        const source = await core.openArchive(archive);
        await core.importImages(source, { target, name });
        await source.close();
      }
      await core.tagImage(target, name, role + ':tagged');
      await core.removeImage(target, name);
      core.assertVerified(await core.verifyImages(target, [await target.resolve(role + ':tagged')]));
      if (round % 2 === 0) await core.removeImage(target, role + ':tagged');
      done += 1;
    }
    await target.close();
    if (before < Number(enough) && done >= Number(enough)) console.log('enough');
  }
  console.log('done');
} catch (error) {
  console.log(error.stack);
}
process.stdin.destroy();
`;

async function archivesIn(folder: string, count: number): Promise<readonly string[]> {
  const common = Array.from({ length: 4 }, (_, i) => ({ [`common-${i}`]: `${i} `.repeat(15_000) }));
  const paths = Array.from({ length: count }, (_, n) => join(folder, `${n}.tar`));
  for (const [n, path] of paths.entries()) await writeArchive(path, { name: nameOf(n), layers: [...common, { own: `${n}`.repeat(50_000) }] });
  return paths;
}

describe(`prune, beside imports of the same and of other images (seed ${seed})`, () => {
  it('never takes a blob from an image that an import has reported', { timeout: 300_000 }, () =>
    inFolder(async (folder) => {
      const path = await scriptOf(folder, script);
      const archives = await archivesIn(folder, 3);
      const store = join(folder, 'store');
      // A test in which nothing is removed shows nothing.
      const pruners = [1, 2].map(() => new Child(path, store, 'prune', '', '5'));
      const writers = ['file', 'pipe', 'file', 'pipe'].map((way, n) => new Child(path, store, `writer-${n}`, way, '12', ...archives));
      const children = [...pruners, ...writers];
      for (const child of children) expect(await child.line()).toBe('begins');

      // Meanwhile one that is killed again and again, at any moment.
      const next = random(seed);
      let killed = 0;
      let over = false;
      const killing = (async () => {
        while (!over || killed < 4) {
          const child = new Child(path, store, 'victim', killed % 2 === 0 ? 'file' : 'pipe', 'Infinity', ...archives);
          expect(await child.line()).toBe('begins');
          if ((await child.killAfter(next() * 120)) === 'killed') killed += 1;
        }
      })();

      expect(await Promise.all(children.map((child) => child.line()))).toEqual(children.map(() => 'enough'));
      over = true;
      await killing;
      for (const child of children) child.say('stop');
      expect(await Promise.all(children.map((child) => child.line()))).toEqual(children.map(() => 'done'));

      const after = await localStore(store);
      expect((await verifyImages(after, await listed(after))).problems).toEqual([]);
      const { kept } = await pruneStore(after);
      await after.close();
      expect(await soundBlobs(store)).toBe(kept);
    }));

  it('removes what killed imports left', { timeout: 180_000 }, () =>
    inFolder(async (folder) => {
      const path = await scriptOf(folder, script);
      const [archive = ''] = await archivesIn(folder, 1);
      const store = join(folder, 'store');
      await filled(store);
      let files = 0;
      for (let at = 1; at <= 40 && files === 0; at++) {
        const child = new Child(path, store, 'victim', 'pipe', 'Infinity', archive);
        expect(await child.line()).toBe('begins');
        await child.killAfter(at * 7);
        const opened = await localStore(store);
        const before = await pruneStore(opened, { dryRun: true });
        const report = await pruneStore(opened);
        expect(report).toEqual(before);
        files += report.abandoned.files;
        expect(await pruneStore(opened)).toMatchObject({ blobs: 0, leased: 0, abandoned: { files: 0, bytes: 0 } });
        await opened.close();
      }
      expect(files).toBeGreaterThan(0);
    }));
});

/** Stops for ever after so many removals, as a process does that is killed there. */
function stopping(driver: ImageDriver, removals: number): { readonly driver: ImageDriver; readonly stopped: Promise<void> } {
  let left = removals;
  let stop = () => {};
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const handler: ProxyHandler<ImageDriver> = {
    get(target, key) {
      // The lock of a killed process is broken; nothing of it is left here.
      if (key === 'exclusive') return <T>(work: () => Promise<T>) => work();
      if (key === 'remove') {
        return async (path: string) => {
          if (left-- > 0) return target.remove(path);
          stop();
          return new Promise<never>(() => {});
        };
      }
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  };
  return { driver: new Proxy(driver, handler), stopped };
}

describe('a prune that is killed', () => {
  it('after any number of blobs leaves every image whole, and those that it removed can be imported again', async () => {
    const [gone, kept] = [nameOf(0), nameOf(1)];
    const layers = [{ a: '1' }, { b: '2' }, { c: '3' }];
    for (let removals = 0; removals <= 4; removals++) {
      const driver = memoryDriver();
      const store = memoryStore(driver);
      await addImages(store, { name: gone, layers }, { name: kept, layers: layers.slice(0, 1) });
      await removeImage(store, gone);
      const killed = stopping(driver, removals);
      const pruning = pruneStore(memoryStore(killed.driver));
      await Promise.race([pruning, killed.stopped]);
      expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
      const source = memoryStore();
      await addImages(source, { name: gone, layers });
      await importImages(source, { target: store });
      expect(await listed(store)).toHaveLength(2);
      expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
    }
  });
});

describe('a writer that was taken for dead', () => {
  it('names nothing, since what it relied on may be gone', () =>
    inFolder(async (folder) => {
      const [archive = ''] = await archivesIn(folder, 1);
      const path = join(folder, 'store');
      const store = await localStore(path);
      const source = await openArchive(archive);
      // As if it had slept for hours on a host that cannot be asked: its staging folder is swept.
      const importing = importImages(source, {
        target: store,
        // At once: nobody waits for what a listener still does.
        onEvent: (event) => {
          if (event.type === 'done' && event.content.role === 'manifest') rmSync(join(path, '.oci-tar/staging'), { recursive: true, force: true });
        },
      });
      await expect(importing).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await listed(store)).toEqual([]);
      await source.close();
      await store.close();
    }));

  it('takes nothing more on its lease', () =>
    inFolder(async (folder) => {
      const driver = directoryDriver(folder);
      const lease = await driver.lease?.();
      await rm(join(folder, '.oci-tar/staging'), { recursive: true, force: true });
      const blob = { digest: `sha256:${'ab'.repeat(32)}` as const, size: 1, mediaType: '' };
      await expect(lease?.add([blob])).rejects.toMatchObject({ code: 'CONFLICT' });
      await expect(lease?.confirm()).rejects.toMatchObject({ code: 'CONFLICT' });
      await lease?.release();
      await driver.abort();
    }));
});
