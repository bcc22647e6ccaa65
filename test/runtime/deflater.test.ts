import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { rawInflater } from '../../packages/core/src/runtime/default/gzip.ts';
import { Deflater, longestDeflated } from '../../packages/core/src/runtime/deflater.js';
import { compileDeflate, deflateModulePath } from '../../scripts/deflate.mjs';
import { root } from '../../scripts/workspace.mjs';
import { concat, prose } from '../compression/streams.ts';
import fc from '../support/fast-check.ts';

const levels = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const windowSize = 32 * 1024;
const segmentSize = 1024 * 1024;
const deflater = new Deflater();

function deflate(bytes: Uint8Array, level = 6, by = deflater): Buffer {
  const pieces: Uint8Array[] = [];
  // Each is good until the next is asked for.
  for (const piece of by.deflate(bytes, level)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** Decoded by zlib, to the very end. */
function inflate(data: Uint8Array): Buffer {
  const { buffer, engine } = inflateRawSync(data, { info: true }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
  expect(engine.bytesWritten).toBe(data.length);
  return buffer;
}

function expectSame(bytes: Uint8Array, level: number): void {
  const data = deflate(bytes, level);
  expect(data.length).toBeLessThanOrEqual(longestDeflated(bytes.length));
  expect(Buffer.compare(inflate(data), bytes)).toBe(0);
}

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => !/node_modules|dist/.test(path) && /\.(?:ts|md)$/.test(path))
    .sort()
    .map((path) => join(root, folder, path));
}

/** Pieces of what layers are made of: text, noise, runs, what was there before, all 256 values unevenly. */
const content = fc
  .array(
    fc.oneof(
      fc.tuple(fc.nat(20_000), fc.nat(50)).map(([length, seed]) => prose(length, seed)),
      fc.uint8Array({ maxLength: 3000 }),
      fc.tuple(fc.nat(70_000), fc.nat(255)).map(([length, value]) => new Uint8Array(length).fill(value)),
      fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(9000)).map(([step, length]) => Uint8Array.from({ length }, (_, at) => (at * at) >> step)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => concat(...parts, ...parts.slice(0, 2)));

describe('the deflate module', () => {
  it('is what its source compiles to', { timeout: 60_000 }, () => {
    expect(readFileSync(deflateModulePath, 'utf8')).toBe(compileDeflate());
  });
});

describe('deflate', () => {
  it('gives what zlib and the portable inflater decode to the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.constantFrom(...levels), async (bytes, level) => {
        expectSame(bytes, level);
        const inflater = rawInflater();
        const runs: Uint8Array[] = [];
        for await (const run of inflater.write(deflate(bytes, level))) runs.push(run);
        for await (const run of inflater.finish()) runs.push(run);
        expect(Buffer.compare(concat(...runs), bytes)).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it.each(levels)('takes every length around the ends of the window, of a segment and of a block at level %d', (level) => {
    const bytes = concat(prose(segmentSize), randomBytes(windowSize), prose(segmentSize, 2));
    for (const length of [0, 1, 2, 3, 4, 5, 6, 7, 8, 257, 258, 259, windowSize - 1, windowSize, windowSize + 1, 65_535, 65_536, segmentSize - 1, segmentSize, segmentSize + 1, bytes.length]) {
      expectSame(bytes.subarray(0, length), level);
      expectSame(new Uint8Array(length), level);
    }
  });

  it('refers back as far as the window and no further, over the ends of segments too', () => {
    const noise = randomBytes(windowSize);
    const before = randomBytes(segmentSize - windowSize);
    const near = concat(before, noise, noise);
    const far = concat(before, noise, Buffer.alloc(1), noise);
    expectSame(near, 6);
    expect(near.length - deflate(near).length).toBeGreaterThan(windowSize * 0.97);
    expectSame(far, 6);
    expect(deflate(far).length).toBeGreaterThan(far.length);
  });

  it('stores what cannot be made smaller, at a cost of 5 bytes a block', () => {
    const noise = randomBytes(3 * segmentSize);
    for (const level of levels) expect(deflate(noise, level).length).toBeLessThan(noise.length * 1.0004);
    expectSame(noise, 6);
  });

  it('gives codes of at most 15 bits where frequencies ask for longer ones', () => {
    // Frequencies of Fibonacci give the deepest tree.
    const values: Uint8Array[] = [];
    for (let [value, before, count] = [0, 1, 1]; value < 22 && count < 20_000; value++) {
      values.push(new Uint8Array(count).map((_, at) => (at % 2 === 0 ? value : 255 - value)));
      [before, count] = [count, before + count];
    }
    const bytes = concat(...values);
    const shuffled = Uint8Array.from({ length: bytes.length }, (_, at) => bytes[(at * 7919) % bytes.length] ?? 0);
    for (const level of levels) expectSame(shuffled, level);
  });

  it('gives the same whatever was compressed before, also after its positions were counted anew', () => {
    const bytes = concat(prose(segmentSize + 5000), randomBytes(5000), prose(3000));
    const expected = levels.map((level) => deflate(bytes, level, new Deflater()));
    const used = new Deflater();
    // 64 MiB is when they are.
    const much = concat(prose(100_000), new Uint8Array(70 * segmentSize), prose(100_000));
    expect(Buffer.compare(inflate(deflate(much, 1, used)), much)).toBe(0);
    for (const [at, level] of levels.entries()) expect(Buffer.compare(deflate(bytes, level, used), expected[at] ?? Buffer.alloc(0))).toBe(0);
    for (let count = 0; count < 80; count++) deflate(new Uint8Array(segmentSize), 1, used);
    for (const [at, level] of levels.entries()) expect(Buffer.compare(deflate(bytes, level, used), expected[at] ?? Buffer.alloc(0))).toBe(0);
  });

  it('can begin anew where a buffer was given up in the middle', () => {
    const bytes = concat(prose(3 * segmentSize), randomBytes(100));
    for (const count of [1, 2, 3]) {
      const used = new Deflater();
      const pieces = used.deflate(bytes, 5);
      for (let taken = 0; taken < count; taken++) pieces.next();
      expect(Buffer.compare(deflate(bytes, 6, used), deflate(bytes, 6))).toBe(0);
    }
  });

  it('is smaller the higher the level, and for texts about as small as zlib at the same level', () => {
    const bytes = concat(...['packages', 'docs', 'test'].flatMap(filesUnder).map((path) => readFileSync(path))).subarray(0, 3 * segmentSize);
    const sizes = levels.map((level) => deflate(bytes, level).length);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    for (const [at, size] of sizes.entries()) expect(size).toBeLessThan(deflateRawSync(bytes, { level: at + 1 }).length * 1.04);
  });
});
