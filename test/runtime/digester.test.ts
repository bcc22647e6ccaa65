import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createDigester as createDefault } from '../../packages/core/src/runtime/default/digester.ts';
import { createDigester } from '../../packages/core/src/runtime/node/digester.ts';
import { threadDigester } from '../../packages/core/src/runtime/node/hash-pool.ts';
import type { Digester, HashAlgorithm } from '../../packages/core/src/runtime/digester.ts';
import fc from '../support/fast-check.ts';

function onThread(algorithm: HashAlgorithm): Digester {
  const digester = threadDigester(algorithm);
  if (digester === undefined) throw new Error('hash threads do not work here');
  return digester;
}

async function digestOf(digester: Digester, chunks: readonly Uint8Array[]): Promise<string> {
  for (const chunk of chunks) await digester.update(chunk);
  return digester.hex();
}

describe('a digester', () => {
  it('gives what node:crypto gives, on the main thread, on a worker and in plain JavaScript, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('sha256' as const, 'sha512' as const), fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 6 }), async (algorithm, chunks) => {
        const expected = createHash(algorithm).update(Buffer.concat(chunks)).digest('hex');
        for (const digester of [createDigester(algorithm), onThread(algorithm), createDefault(algorithm)]) {
          expect(await digestOf(digester, chunks)).toBe(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('knows blake3', async () => {
    // The digest of the empty input, as the BLAKE3 specification's test vectors have it.
    const empty = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
    expect(await createDigester('blake3').hex()).toBe(empty);
    expect(await createDefault('blake3').hex()).toBe(empty);
  });

  it('on a worker leaves the bytes with their owner, who may still be writing them', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const view = chunk.subarray(10, 500_000);
    const digester = onThread('sha256');
    await digester.update(view);
    await digester.hex();
    expect(chunk.byteLength).toBe(1024 * 1024);
    expect(view.toString('latin1', 0, 3)).toBe('xxx');
  });

  it('on a worker makes its caller wait when it is behind, and many at a time keep apart', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 1);
    const digests = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const digester = onThread('sha256');
        let waits = 0;
        for (let n = 0; n < 12 + i; n++) {
          const behind = digester.update(chunk);
          if (behind !== undefined) waits += 1;
          await behind;
        }
        expect(waits).toBeGreaterThan(0);
        return digester.hex();
      }),
    );
    const expected = Array.from({ length: 8 }, (_, i) => createHash('sha256').update(Buffer.alloc((12 + i) * chunk.byteLength, 1)).digest('hex'));
    expect(digests).toEqual(expected);
  });

  it('on a worker keeps every promise where more comes before the first is kept', async () => {
    const chunk = Buffer.alloc(3 * 1024 * 1024, 1);
    const digester = onThread('sha256');
    const behind = [digester.update(chunk), digester.update(chunk), digester.update(chunk)];
    expect(behind.every((promise) => promise instanceof Promise)).toBe(true);
    await Promise.all(behind);
    expect(await digester.hex()).toBe(createHash('sha256').update(Buffer.alloc(3 * chunk.length, 1)).digest('hex'));
  });

  it('on a worker that is given up lets its caller go on', async () => {
    const digester = onThread('sha256');
    const behind = digester.update(Buffer.alloc(8 * 1024 * 1024));
    expect(behind).toBeInstanceOf(Promise);
    digester.dispose();
    await behind;
  });

  it('on a worker can be given up', async () => {
    const digester = onThread('sha256');
    await digester.update(Buffer.alloc(10));
    digester.dispose();
    digester.dispose();
    expect(await onThread('sha256').hex()).toBe(createHash('sha256').digest('hex'));
  });
});
