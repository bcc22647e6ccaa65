import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { openSeekable } from '../../packages/core/src/seekable/open.ts';
import type { SeekableLayer } from '../../packages/core/src/seekable/open.ts';
import { verifyContent } from '../../packages/core/src/seekable/verify.ts';
import { built, file, opened, tarOf } from './support.ts';

/** What reading one member after the other says. */
async function oneByOne(layer: SeekableLayer): Promise<unknown> {
  try {
    for await (const _ of layer.read(layer.chunks));
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('a layer large enough for threads', () => {
  const files = Array.from({ length: 40 }, (_, at) => file(`file-${at}`, randomBytes(at === 20 ? 700_000 : 60_000)));

  // With the landmark, a file of one byte.
  it.each([{}, { minChunkSize: 150_000 }])('is verified with every file, those of several chunks too: %j', async (options) => {
    const { blob } = await built(await tarOf(...files), { chunkSize: 200_000, ...options });
    expect(await verifyContent(await opened(blob))).toEqual({ files: 41, chunks: 44, size: 39 * 60_000 + 700_000 + 1 });
  });

  it('is read into the memory of the threads where its source can, and once', async () => {
    const { blob } = await built(await tarOf(...files), { chunkSize: 200_000 });
    const filled: [number, number][] = [];
    let streamed = 0;
    let open = 0;
    const source = {
      ...bytesSource(blob),
      read(start = 0, end = blob.length) {
        streamed += end - start;
        return bytesSource(blob).read(start, end);
      },
      async open() {
        open += 1;
        return {
          async readInto(target: Uint8Array, position: number) {
            target.set(blob.subarray(position, position + target.length));
            filled.push([position, position + target.length]);
          },
          async close() {
            open -= 1;
          },
        };
      },
    };
    const layer = await openSeekable(source);
    streamed = 0;
    expect((await verifyContent(layer)).chunks).toBe(44);
    expect({ streamed, open }).toEqual({ streamed: 0, open: 0 });
    expect(filled[0]?.[0]).toBe(layer.chunks[0]?.offset);
    expect(filled.at(-1)?.[1]).toBe(layer.parts.payloadSize);
    expect(filled.slice(1).every(([start], at) => start === filled[at]?.[1])).toBe(true);
  });

  it('can be left at any time, and be verified after that', async () => {
    const { blob } = await built(await tarOf(...files), { chunkSize: 200_000 });
    const layer = await opened(blob);
    for (let round = 0; round < 30; round++) {
      let left = round;
      for await (const some of layer.verifyChunks()) if ((left -= some.length) <= 0) break;
    }
    expect((await verifyContent(layer)).chunks).toBe(44);
  });

  it('has the same error as when it is read alone, for the first of the chunks that are damaged', async () => {
    const { blob } = await built(await tarOf(...files), { chunkSize: 200_000 });
    const { chunks } = await opened(blob);
    for (const [at, into] of [[3, 2], [22, 12], [30, 9_000], [42, 40_000]] as const) {
      const damaged = Uint8Array.from(blob);
      for (const number of new Set([at, 42])) {
        const place = (chunks[number]?.offset ?? 0) + into;
        damaged[place] = (damaged[place] ?? 0) ^ 0x55;
      }
      const layer = await opened(damaged);
      const expected = await oneByOne(layer);
      expect(expected).toBeInstanceOf(Error);
      await expect(verifyContent(layer)).rejects.toEqual(expected);
    }
  });

  // The last four bytes of a member are the length of its content.
  it.each([60_000, 300_000])('is refused where a member of %d bytes ends with another length, as when it is read alone', async (size) => {
    const { blob } = await built(await tarOf(...Array.from({ length: 40 }, (_, at) => file(`file-${at}`, randomBytes(size)))));
    const { chunks } = await opened(blob);
    blob[(chunks[7]?.nextOffset ?? 0) - 1] = 0x55;
    const layer = await opened(blob);
    const expected = await oneByOne(layer);
    expect(expected).toMatchObject({ code: 'INVALID_COMPRESSION' });
    await expect(verifyContent(layer)).rejects.toEqual(expected);
  });
});
