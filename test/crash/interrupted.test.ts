import { cp, mkdir, readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OciTarError, codecByName, collect, copyImage, createImage, exportImages, importImages, importStream, localStore, openArchive, verifyImages } from '@oci-tar/core';
import type { ByteSink, ByteStream, ImageStore } from '@oci-tar/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { archive as tarOf, imageName, imagePieces } from '../hostile/archives.ts';
import { earlierName, filled, soundStore } from '../hostile/attempt.ts';
import { addImages, layerOf, listed, memoryStore } from '../support/images.ts';
import { MemorySink, cut } from '../support/sinks.ts';
import { Child, inFolder, scriptOf, writeArchive } from './processes.ts';

const platform = { os: 'linux', architecture: 'amd64' };

/** Larger than what is read in one go, so that there is a middle. */
const large = 'large '.repeat(60_000);

let archive: Uint8Array;

beforeAll(async () => {
  const source = memoryStore();
  await addImages(source, { name: imageName, layers: [{ large }, { small: 'small' }] });
  const output = new MemorySink();
  await exportImages({ source, references: [imageName], output });
  archive = output.bytes;
});

/** An interrupt at the nth look that anybody takes at the signal, or begins to listen to it. */
class Interrupt {
  readonly #controller = new AbortController();
  /** One of the library's own errors, which must come out as it is all the same. */
  readonly reason = new OciTarError('CONFLICT', 'enough');
  looks = 0;

  readonly #restore: () => void;

  /** Looks at any signal count: what runs beside other things gets one of its own, which follows this one. */
  constructor(at: number) {
    const look = () => {
      if (this.looks++ === at) this.#controller.abort(this.reason);
    };
    const prototype = AbortSignal.prototype;
    const { throwIfAborted, addEventListener } = prototype;
    prototype.throwIfAborted = function (this: AbortSignal) {
      look();
      throwIfAborted.call(this);
    };
    prototype.addEventListener = function (this: AbortSignal, ...args: Parameters<typeof addEventListener>) {
      addEventListener.apply(this, args);
      look();
    };
    this.#restore = () => {
      prototype.throwIfAborted = throwIfAborted;
      // Inherited from EventTarget, as it was.
      Reflect.deleteProperty(prototype, 'addEventListener');
    };
  }

  /** Signals are again what they were. */
  dispose(): void {
    this.#restore();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
}

interface Place {
  readonly store: ImageStore;
  /** Where layers, archives and the like may be. */
  readonly folder: string;
}

type Work = (place: Place, signal: AbortSignal) => Promise<unknown>;

/** What each verb does until it is interrupted. The store holds an earlier image. */
const verbs: Readonly<Record<string, Work>> = {
  'import from a file': async ({ store, folder }, signal) => {
    const source = await openArchive(join(folder, 'in.tar'), { signal });
    try {
      await importImages(source, { target: store, signal });
    } finally {
      await source.close();
    }
  },
  'import from a compressed file': async ({ store, folder }, signal) => {
    const source = await openArchive(join(folder, 'in.tar.gz'), { signal });
    try {
      await importImages(source, { target: store, signal });
    } finally {
      await source.close();
    }
  },
  'import from a pipe': ({ store }, signal) => importStream(cut(archive, [150_000]), { target: store, signal }),
  'export to a file': ({ store, folder }, signal) => exportImages({ source: store, references: [earlierName], output: join(folder, 'out/out.tar'), signal }),
  'export to a compressed file': ({ store, folder }, signal) =>
    exportImages({ source: store, references: [earlierName], output: join(folder, 'out/out.tar'), compression: codecByName('gzip'), signal }),
  verify: async ({ store }, signal) => verifyImages(store, await listed(store), { signal }),
  copy: ({ store }, signal) => copyImage({ source: store, target: store, reference: earlierName, name: 'copy:1', signal }),
  'create from a directory and a tar': ({ store, folder }, signal) =>
    createImage({ target: store, name: 'new:1', layers: [join(folder, 'layer'), join(folder, 'layer.tar')], platform, codec: codecByName('gzip'), signal }),
  'create from a compressed tar': ({ store, folder }, signal) => createImage({ target: store, name: 'new:1', layers: [join(folder, 'layer.tar.gz')], platform, codec: codecByName('none'), signal }),
};

async function prepared(folder: string): Promise<void> {
  const layer = await layerOf({ large: `${large}layer` });
  await mkdir(join(folder, 'out'));
  await filled(join(folder, 'filled'));
  await mkdir(join(folder, 'layer'));
  await writeFile(join(folder, 'layer/file'), large);
  await writeFile(join(folder, 'layer.tar'), layer);
  // Not compressed further, so that it is longer than one read.
  await writeFile(join(folder, 'layer.tar.gz'), await collect(codecByName('gzip').compress(cut(Buffer.concat([layer.subarray(0, -1024), await layerOf({ noise: noiseText() })]))), 1 << 24, 'gzip'));
  await writeFile(join(folder, 'in.tar'), archive);
  await writeFile(join(folder, 'in.tar.gz'), await collect(codecByName('gzip').compress(cut(archive)), 1 << 24, 'gzip'));
}

function noiseText(): string {
  let state = 1;
  return Array.from({ length: 800_000 }, () => String.fromCharCode(33 + ((state = (state * 48_271) % 2_147_483_647) % 90))).join('');
}

/** Interrupts at the first looks, and then at every third, until the work ends before it is interrupted. */
async function atManyLooks(work: (interrupt: Interrupt, at: number) => Promise<void>): Promise<void> {
  let interrupted = 0;
  for (let at = 0; ; at += at < 10 ? 1 : 3) {
    const interrupt = new Interrupt(at);
    await work(interrupt, at).finally(() => interrupt.dispose());
    if (!interrupt.signal.aborted) break;
    interrupted += 1;
  }
  expect(interrupted).toBeGreaterThan(2);
}

async function outcome(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

describe.each(Object.entries(verbs))('%s, interrupted anywhere', (verb, work) => {
  it('gives the reason and leaves a directory as it was, with no file open', () =>
    inFolder(async (folder) => {
      await prepared(folder);
      await atManyLooks(async (interrupt, at) => {
        const path = join(folder, `store-${at}`);
        await cp(join(folder, 'filled'), path, { recursive: true });
        const index = await readFile(join(path, 'index.json'), 'utf8');
        const store = await localStore(path);
        const reason = await outcome(work({ store, folder }, interrupt.signal));
        await store.close();
        await soundStore(path);
        if (!interrupt.signal.aborted) return expect(reason).toBeUndefined();
        expect(reason).toBe(interrupt.reason);
        expect(await readFile(join(path, 'index.json'), 'utf8')).toBe(index);
        expect(await readdir(join(folder, 'out'))).toEqual([]);
        expect(await openBelow(folder)).toEqual([]);
      });
    }));

  it('gives the reason and leaves the images in memory as they were', () =>
    inFolder(async (folder) => {
      await prepared(folder);
      await atManyLooks(async (interrupt) => {
        const store = memoryStore();
        await addImages(store, { name: earlierName, layers: [{ earlier: large }] });
        const before = await listed(store);
        const reason = await outcome(work({ store, folder }, interrupt.signal));
        expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
        if (!interrupt.signal.aborted) return expect(reason, verb).toBeUndefined();
        expect(reason).toBe(interrupt.reason);
        expect(await listed(store)).toEqual(before);
        expect(await readdir(join(folder, 'out'))).toEqual([]);
      });
    }));
});

/** Which files below a folder this process has open; a read that was under way may need a moment to end. */
async function openBelow(folder: string): Promise<readonly string[]> {
  let open: readonly string[] = [];
  for (let attempt = 0; attempt < 100; attempt++) {
    const links = await Promise.all((await readdir('/proc/self/fd').catch(() => [])).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    open = links.filter((link) => link.startsWith(folder));
    if (open.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return open;
}

describe('a pipe that falls silent', () => {
  /** The first bytes, and then nothing for ever; `silent` tells when. */
  function stalling(bytes: Uint8Array): { readonly stream: ByteStream; readonly silent: Promise<void> } {
    let tell = () => {};
    const silent = new Promise<void>((resolve) => (tell = resolve));
    return {
      silent,
      stream: (async function* () {
        yield* cut(bytes, [1000]);
        tell();
        await new Promise(() => {});
      })(),
    };
  }

  it.each(['none', 'gzip', 'zstd'] as const)('can be given up anywhere (compression %s)', async (name) => {
    const unneeded = { name: `blobs/sha256/${'ab'.repeat(32)}`, body: new Uint8Array(20_000) };
    const whole = await collect(codecByName(name).compress(cut(tarOf(await imagePieces(), unneeded))), 1 << 20, name);
    for (const part of [0, 0.001, 0.05, 0.2, 0.5, 0.9, 0.99]) {
      const target = memoryStore();
      const controller = new AbortController();
      const { stream, silent } = stalling(whole.subarray(0, Math.floor(whole.length * part)));
      const importing = outcome(importStream(stream, { target, signal: controller.signal }));
      await silent;
      const reason = new OciTarError('CONFLICT', 'enough');
      controller.abort(reason);
      expect(await importing).toBe(reason);
      expect(await listed(target)).toEqual([]);
    }
  });
});

describe('an output that takes nothing more', () => {
  it.each(['none', 'gzip', 'zstd'] as const)('can be given up, and is told so (compression %s)', async (name) => {
    const source = memoryStore();
    await addImages(source, { name: imageName, layers: [{ noise: noiseText() }] });
    for (const writes of [0, 1]) {
      let told: unknown;
      let left = writes;
      let tell = () => {};
      const asleep = new Promise<void>((resolve) => (tell = resolve));
      const output: ByteSink = {
        async write() {
          if (left-- > 0) return;
          tell();
          await new Promise(() => {});
        },
        commit: async () => {},
        abort: async (reason) => void (told = reason),
      };
      const controller = new AbortController();
      const exporting = outcome(exportImages({ source, references: [imageName], output, compression: codecByName(name), signal: controller.signal }));
      await asleep;
      const reason = new OciTarError('CONFLICT', 'enough');
      controller.abort(reason);
      expect(await exporting).toBe(reason);
      expect(told).toBe(reason);
    }
  });
});

describe('a process whose work is interrupted', () => {
  it('comes to its end by itself, also where it hashes on threads', { timeout: 180_000 }, () =>
    inFolder(async (folder) => {
      await prepared(folder);
      await writeArchive(join(folder, 'big.tar'), { name: imageName, layers: [{ big: large.repeat(15) }] });
      const script = await scriptOf(
        folder,
        `
        // As if this were a slow processor: then big blobs are hashed on threads.
        const clock = process.hrtime.bigint;
        process.hrtime.bigint = () => clock.call(process.hrtime) * 1000n;
        let threads = 0;
        process.on('worker', () => {
          threads++;
          if (verb === 'create') controller.abort('enough');
        });
        const [verb, folder] = process.argv.slice(2);
        const platform = { os: 'linux', architecture: 'amd64' };
        const target = await core.localStore(folder + '/store-' + verb);
        const controller = new AbortController();
        const { signal } = controller;
        const { mkdir, readFile, writeFile } = await import('node:fs/promises');
        async function* pipe() {
          const all = await readFile(folder + '/big.tar');
          for (let at = 0; at < all.length; at += 65536) {
            yield all.subarray(at, at + 65536);
            await new Promise(setImmediate);
            if (verb === 'import' && at > 3e6) controller.abort('enough');
          }
        }
        const create = (layers, more) => core.createImage({ target, name: 'new:1', layers, platform, codec: core.codecByName('gzip'), ...more });
        const verbs = {
          import: () => core.importStream(pipe(), { target, signal }),
          finished: () => create([folder + '/layer.tar.gz', folder + '/layer.tar', folder + '/layer']),
          create: async () => {
            await mkdir(folder + '/big');
            await writeFile(folder + '/big/file', new Uint8Array(20_000_000));
            return create([folder + '/big'], { signal });
          },
          failing: async () => {
            await writeFile(folder + '/broken.tar.gz', (await readFile(folder + '/layer.tar.gz')).subarray(0, 1e5));
            return create([folder + '/broken.tar.gz']);
          },
          verify: async () => {
            await core.importStream(pipe(), { target });
            const images = [];
            for await (const image of target.images()) images.push(image);
            return core.verifyImages(target, images, { signal, onBytes: (count) => count > 1e5 && controller.abort('enough') });
          },
        };
        const word = await verbs[verb]().then(() => 'done', (reason) => reason.code ?? reason);
        await target.close();
        console.log(word + (threads > 0 ? ' on threads' : ''));
        `,
      );
      const expected: Readonly<Record<string, string>> = {
        import: 'enough on threads',
        finished: 'done on threads',
        create: 'enough on threads',
        failing: 'INVALID_COMPRESSION',
        verify: 'enough on threads',
      };
      for (const [verb, word] of Object.entries(expected)) {
        const child = new Child(script, verb, folder);
        expect(await child.line(), verb).toContain(word);
        // Nothing is timed: only a process that would never end is killed in the end.
        expect(await child.killAfter(5000), verb).toBe('ended');
      }
    }));
});
