import { cp, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { importImages, localStore, memoryDriver, openArchive, verifyImages, layoutStore } from '@oci-tar/core';
import type { ImageDriver } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { soundBlobs } from '../hostile/attempt.ts';
import { addImages, listed } from '../support/images.ts';
import { seed } from '../support/seed.ts';
import { Child, ageOwnerless, inFolder, random, readJson, scriptOf, writeArchive } from './processes.ts';

const kills = 44;
const atOnce = 2;

const newName = 'docker.io/library/new:1';
const movedName = 'docker.io/library/moved:1';
const keptName = 'docker.io/library/kept:1';

const importing = `
const [store, archive, way] = process.argv.slice(2);
const target = await core.localStore(store);
const { createReadStream } = await import('node:fs');
console.log('begins');
if (way === 'pipe') await core.importStream(createReadStream(archive, { highWaterMark: 30_000 }), { target });
else {
  const source = await core.openArchive(archive);
  await core.importImages(source, { target });
  await source.close();
}
console.log('imported');
await target.close();
`;

const exporting = `
const [store, output, compression] = process.argv.slice(2);
const source = await core.localStore(store);
console.log('begins');
await core.exportImages({ source, references: ['new:1'], output, compression: core.codecByName(compression) });
`;

/** Many small layers: as many moments at which a blob, a rename or a lock is half done. */
function layers(count: number, size: number): readonly Readonly<Record<string, string>>[] {
  return Array.from({ length: count }, (_, i) => ({ [`file-${i}`]: `${i} `.repeat(size / 2) }));
}

/** How long the child is at work, from its first word to its end. */
async function duration(script: string, ...args: readonly string[]): Promise<number> {
  const child = new Child(script, ...args);
  expect(await child.line()).toBe('begins');
  const start = performance.now();
  expect(await child.exited).toBe(0);
  return performance.now() - start;
}

/** A moment in each of equal parts of the whole time, in an order that mixes early and late. */
function moments(count: number, next: () => number): readonly number[] {
  const spread = Array.from({ length: count }, (_, i) => (i + next()) / count);
  return spread.map((moment) => ({ moment, at: next() })).sort((a, b) => a.at - b.at).map(({ moment }) => moment);
}

describe(`an import that is killed (seed ${seed})`, () => {
  it('leaves a store that verifies, whenever that is, and the next import completes', { timeout: 300_000 }, () =>
    inFolder(async (folder) => {
      const script = await scriptOf(folder, importing);
      const archive = join(folder, 'in.tar');
      await writeArchive(archive, { name: newName, layers: layers(60, 40_000) }, { name: movedName, layers: [{ moved: 'new' }] });
      const before = join(folder, 'before');
      const store = await localStore(before);
      await addImages(store, { name: keptName, layers: [{ kept: 'yes' }] }, { name: movedName, layers: [{ moved: 'old' }] });
      await store.close();

      const times: Record<string, number> = {};
      for (const way of ['file', 'pipe']) {
        const runs: number[] = [];
        for (const run of [1, 2, 3]) {
          const path = join(folder, `whole-${way}-${run}`);
          await cp(before, path, { recursive: true });
          runs.push(await duration(script, path, archive, way));
        }
        times[way] = runs.sort((a, b) => a - b)[1] ?? 0;
      }

      const next = random(seed);
      const outcomes = { killed: 0, ended: 0, halfDone: 0 };
      const round = async (moment: number, number: number) => {
        const way = number % 2 === 0 ? 'file' : 'pipe';
        const path = join(folder, `store-${number}`);
        // Every fourth one begins where nothing is yet.
        const fresh = number % 4 >= 2;
        if (!fresh) await cp(before, path, { recursive: true });
        const child = new Child(script, path, archive, way);
        expect(await child.line()).toBe('begins');
        outcomes[await child.killAfter(moment * (times[way] ?? 0))] += 1;
        if (await soundAfterKill(path, fresh)) outcomes.halfDone += 1;
        await completes(path, archive, fresh);
      };
      const all = moments(kills, next).map((moment, number) => () => round(moment, number));
      for (let i = 0; i < all.length; i += atOnce) await Promise.all(all.slice(i, i + atOnce).map((run) => run()));

      // The runs overlap, so some may end before their moment; a test that kills nothing shows nothing.
      for (let number = kills; outcomes.killed <= kills / 2 || outcomes.halfDone <= kills / 10; number++) await round(next(), number);
    }));

  it('at any step of its writing leaves a layout that opens', async () => {
    const source = layoutStore(memoryDriver(), { mayBeNew: true });
    await addImages(source, { name: newName, layers: layers(2, 100) });
    let steps = 0;
    for (let last = 0; ; last++) {
      const driver = memoryDriver();
      const stopping = new StoppingDriver(driver, last);
      const done = await Promise.race([importImages(source, { target: layoutStore(stopping, { mayBeNew: true }) }).then(() => true), stopping.stopped.then(() => false)]);
      // Another process, which sees what has been done so far.
      const after = layoutStore(driver, { mayBeNew: true });
      const images = await listed(after);
      expect(images.length, `after ${last} steps`).toBe(done ? 1 : images.length);
      expect((await verifyImages(after, images)).problems).toEqual([]);
      await importImages(source, { target: after });
      expect(await listed(after)).toHaveLength(1);
      if (done) break;
      steps = last;
    }
    expect(steps).toBeGreaterThan(6);
  });
});

/** Sees that the store opens and everything in it is sound; returns whether something was left half done. */
async function soundAfterKill(path: string, fresh: boolean): Promise<boolean> {
  const store = await localStore(path);
  const images = await listed(store);
  const names = images.map(({ name }) => name);
  if (!fresh) expect(names).toEqual(expect.arrayContaining([keptName, movedName]));
  // All names of the archive, or none: they become visible together.
  expect(names.includes(newName) ? names.includes(movedName) : true).toBe(true);
  expect((await verifyImages(store, images)).problems).toEqual([]);
  await store.close();
  if ((await stat(path).catch(() => undefined)) === undefined) return false;
  const files = await readdir(path);
  if (files.includes('index.json')) expect(await readJson(join(path, 'index.json'))).toMatchObject({ schemaVersion: 2, manifests: expect.any(Array) as unknown[] });
  if (files.includes('blobs')) await soundBlobs(path);
  return files.includes('.oci-tar');
}

/** Imports again, to the end, and sees that nothing of the killed process is left. */
async function completes(path: string, archive: string, fresh: boolean): Promise<void> {
  await ageOwnerless(path);
  const store = await localStore(path);
  const source = await openArchive(archive);
  await importImages(source, { target: store });
  await source.close();
  const images = await listed(store);
  expect(images.map(({ name }) => name).sort()).toEqual(fresh ? [movedName, newName] : [keptName, movedName, newName]);
  expect((await verifyImages(store, images)).problems).toEqual([]);
  await store.close();
  expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
}

/** Stops for ever after so many steps that change something, as a process does that is killed there. */
class StoppingDriver implements ImageDriver {
  readonly name = 'stopping';
  readonly access = 'random';
  readonly stopped: Promise<void>;
  readonly #driver: ImageDriver;
  #left: number;
  #stop = () => {};

  constructor(driver: ImageDriver, steps: number) {
    this.#driver = driver;
    this.#left = steps;
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
  }

  async #step<T>(work: () => Promise<T>): Promise<T> {
    if (this.#left-- > 0) return work();
    this.#stop();
    return new Promise<never>(() => {});
  }

  init = () => this.#step(() => this.#driver.init());
  list = (prefix?: string) => this.#driver.list(prefix);
  reader = (path: string) => this.#driver.reader(path);
  remove = (path: string) => this.#step(() => this.#driver.remove(path));
  // The lock of a killed process is broken; nothing of it is left here.
  exclusive = <T>(work: () => Promise<T>) => work();
  close = () => this.#driver.close();
  abort = (reason?: unknown) => this.#driver.abort(reason);

  async writer(path: string, options?: { readonly mode?: number }) {
    const writer = await this.#driver.writer(path, options);
    return { write: (chunk: Uint8Array) => writer.write(chunk), commit: () => this.#step(() => writer.commit()), abort: (reason?: unknown) => writer.abort(reason) };
  }

  async blobWriter(options?: Parameters<ImageDriver['blobWriter']>[0]) {
    const writer = await this.#driver.blobWriter(options);
    const commit = (expected?: Parameters<typeof writer.commit>[0]) => this.#step(() => writer.commit(expected));
    return { write: (chunk: Uint8Array) => writer.write(chunk), commit, abort: (reason?: unknown) => writer.abort(reason) };
  }
}

describe(`an export that is killed (seed ${seed})`, () => {
  it('never leaves a partial file under the name of its output', { timeout: 180_000 }, () =>
    inFolder(async (folder) => {
      const script = await scriptOf(folder, exporting);
      const archive = join(folder, 'in.tar');
      await writeArchive(archive, { name: newName, layers: layers(150, 60_000) });
      const path = join(folder, 'store');
      const store = await localStore(path);
      const source = await openArchive(archive);
      await importImages(source, { target: store });
      await source.close();
      await store.close();

      const next = random(seed + 1);
      for (const compression of ['none', 'gzip']) {
        const whole = join(folder, `whole-${compression}`);
        const time = await duration(script, path, whole, compression);
        const expected = await readFile(whole);
        const spread = moments(10, next);
        for (let round = 0, killed = 0; round < spread.length || killed < 4; round++) {
          const moment = spread[round] ?? next();
          const output = join(folder, `out-${compression}-${moment}`);
          const child = new Child(script, path, output, compression);
          expect(await child.line()).toBe('begins');
          if ((await child.killAfter(moment * time)) === 'killed') killed += 1;
          const left = await readFile(output).catch(() => undefined);
          if (left !== undefined) expect(Buffer.compare(left, expected)).toBe(0);
        }
      }
    }));
});
