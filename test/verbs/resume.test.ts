import { copyImage, exportImages, importImages, importStream, memoryDriver, verifyImages } from '@oci-tar/core';
import type { ByteStream, Descriptor, ImageDriver, ImageStore } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { MemorySink, cut } from '../support/sinks.ts';

const name = 'docker.io/library/hello:1';
const layers = Array.from({ length: 6 }, (_, i) => ({ [`layer-${i}`]: `${i} `.repeat(1000) }));

/** A place whose blobs can be counted as they are read, and which breaks when one too many is asked for. */
class Counting {
  readonly read: string[] = [];
  readonly store: ImageStore;
  left = Infinity;

  constructor(store: ImageStore) {
    this.store = {
      name: store.name,
      images: () => store.images(),
      resolve: (reference) => store.resolve(reference),
      open: async (blob: Descriptor) => {
        const source = await store.open(blob);
        return { size: source.size, read: (start?: number, end?: number) => this.#stream(blob, source.read(start, end)) };
      },
      close: () => store.close(),
    };
  }

  async *#stream(blob: Descriptor, bytes: ByteStream): ByteStream {
    // Manifests and configs are read for every plan.
    if (blob.mediaType.includes('layer')) {
      if (this.left-- === 0) throw new Error('the line is cut');
      this.read.push(blob.digest);
    }
    yield* bytes;
  }
}

let source: Counting;
let driver: ImageDriver;
let target: ImageStore;

beforeEach(async () => {
  const store = memoryStore();
  await addImages(store, { name, layers });
  source = new Counting(store);
  driver = memoryDriver();
  target = memoryStore(driver);
});

async function whole(): Promise<void> {
  expect(await listed(target)).toMatchObject([{ name }]);
  expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
}

describe.each([
  ['an import', () => importImages(source.store, { target, jobs: 1 })],
  ['a copy', () => copyImage({ source: source.store, target, reference: name, jobs: 1 })],
] as const)('%s that was cut off', (_, move) => {
  it('reads only the layers that have not come, when it is done again', async () => {
    source.left = 4;
    await expect(move()).rejects.toThrow('the line is cut');
    expect(await listed(target)).toEqual([]);
    expect(source.read).toHaveLength(4);
    source.left = Infinity;
    await move();
    expect(source.read).toHaveLength(layers.length);
    expect(new Set(source.read).size).toBe(layers.length);
    await whole();
  });

  it('reads no layer at all when everything has come', async () => {
    await move();
    source.read.length = 0;
    await move();
    expect(source.read).toEqual([]);
    await whole();
  });
});

describe('an import from a pipe that was cut off', () => {
  /** A store that counts the blobs that are begun. */
  function counting(): { readonly store: ImageStore; readonly begun: (string | undefined)[] } {
    const begun: (string | undefined)[] = [];
    const store = memoryStore(
      new Proxy(driver, {
        get(on, key) {
          const value: unknown = Reflect.get(on, key);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            const [options] = args;
            if (key === 'blobWriter') begun.push(typeof options === 'object' && options !== null && 'digest' in options ? String(options.digest) : undefined);
            return value.apply(on, args) as unknown;
          };
        },
      }),
    );
    return { store, begun };
  }

  it('writes only what has not come, when it is done again', async () => {
    const output = new MemorySink();
    await exportImages({ source: source.store, references: [name], output });
    // In the middle of the fourth layer: each one takes 4 KiB in the archive.
    const short = output.bytes.subarray(0, output.bytes.byteLength - 2.5 * 4096 - 1024);
    await expect(importStream(cut(short), { target })).rejects.toMatchObject({ code: 'INVALID_TAR' });
    expect(await listed(target)).toEqual([]);
    const { store, begun } = counting();
    await importStream(cut(output.bytes), { target: store });
    const manifest = (await listed(target))[0]?.descriptor.digest;
    const again = begun.filter((digest) => digest !== manifest);
    expect(again.length).toBeGreaterThan(1);
    expect(again.length).toBeLessThan(layers.length - 1);
    await whole();
  });

  it('writes none but the manifest when everything is there', async () => {
    const output = new MemorySink();
    await exportImages({ source: source.store, references: [name], output });
    await importStream(cut(output.bytes), { target });
    const { store, begun } = counting();
    await importStream(cut(output.bytes), { target: store });
    expect(begun).toEqual([(await listed(target))[0]?.descriptor.digest]);
    await whole();
  });
});
