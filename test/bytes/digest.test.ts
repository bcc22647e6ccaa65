import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Verifier, collect, digestBytes, digestStream, isOciTarError, parseDigest, verified } from '@oci-tar/core';
import { cut } from '../support/sinks.ts';
import fc from '../support/fast-check.ts';

const data = fc.uint8Array({ minLength: 1, maxLength: 300 });
const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 3 });
const sha256 = (bytes: Uint8Array) => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);

describe('verified', () => {
  it('passes what was promised, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(data, cuts, async (bytes, sizes) => {
        const expected = { digest: sha256(bytes), size: bytes.byteLength };
        expect(Buffer.compare(await collect(verified(cut(bytes, sizes), expected), 1000, 'test'), bytes)).toBe(0);
        expect(await digestStream(cut(bytes, sizes))).toEqual(expected);
        expect(await digestBytes(bytes)).toBe(expected.digest);
      }),
    );
  });

  it('finds any changed bit, and tells a wrong size before a wrong digest', async () => {
    await fc.assert(
      fc.asyncProperty(data, fc.nat(), async (bytes, at) => {
        const changed = Uint8Array.from(bytes);
        changed[at % bytes.byteLength] = (changed[at % bytes.byteLength] ?? 0) ^ 1;
        const expected = { digest: sha256(bytes), size: bytes.byteLength };
        await expect(collect(verified(cut(changed), expected), 1000, 'test')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { expected: expected.digest, actual: sha256(changed) } });
        for (const length of [bytes.byteLength - 1, bytes.byteLength + 1]) {
          const other = new Uint8Array(length);
          await expect(collect(verified(cut(other), expected), 1000, 'test')).rejects.toSatisfy((error) => isOciTarError(error, 'SIZE_MISMATCH'));
        }
      }),
    );
  });

  it('stops at the first byte too many, before it is passed on', async () => {
    const passed: number[] = [];
    const reading = (async () => {
      for await (const chunk of verified(cut(new Uint8Array(100), [10]), { size: 25 })) passed.push(chunk.byteLength);
    })();
    await expect(reading).rejects.toSatisfy((error) => isOciTarError(error, 'SIZE_MISMATCH'));
    expect(passed).toEqual([10, 10]);
  });

  it('cannot be promised a digest of an algorithm that is not known here', () => {
    expect(() => new Verifier({ digest: parseDigest('md6+b64:abc=') })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }) as Error);
  });
});
