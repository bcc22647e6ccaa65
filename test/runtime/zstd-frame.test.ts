import { zstdFrame as defaultFrame } from '../../packages/core/src/runtime/default/zstd-frame.ts';
import { zstdFrame } from '../../packages/core/src/runtime/node/zstd-frame.ts';
import { zstd } from '../../packages/core/src/compression/zstd.ts';
import { parseFrameHeader, frameHeaderLength } from '../../packages/core/src/compression/zstd-frame.ts';
import { expect, it } from 'vitest';
import { gather, inRuns } from '../tar/streams.ts';

const mixed = (size: number): Uint8Array => new Uint8Array(size).map((_, at) => (at % 37 < 20 ? Math.imul(at, 2654435761) >>> 24 : 97 + ((at >> 5) % 11)));

it.each([0, 1, 100, 131_072, 131_073, 700_000])('%s bytes become one frame that names its size, by either face the same, however they are divided', async (size) => {
  const bytes = mixed(size);
  for (const level of [1, 3, 12]) {
    const frame = await zstdFrame([bytes], level);
    expect(Buffer.compare(await gather(zstd.decompress(inRuns(frame))), bytes)).toBe(0);
    expect(parseFrameHeader(frame.slice(0, frameHeaderLength(frame[4] ?? 0)), 0)).toMatchObject({ contentSize: size, hasChecksum: false });
    const [third, half] = [bytes.subarray(0, size / 3), bytes.subarray(size / 3)];
    for (const other of [await zstdFrame([third, half], level), await defaultFrame([third, new Uint8Array(0), half], level)]) expect(Buffer.compare(frame, other)).toBe(0);
  }
});

it('frames made at the same time do not mix', async () => {
  const inputs = [1, 2, 3, 4].map((seed) => mixed(50_000 * seed).map((byte) => byte ^ seed));
  const frames = await Promise.all(inputs.map((input) => zstdFrame([input], 3)));
  for (const [at, frame] of frames.entries()) expect(Buffer.compare(await gather(zstd.decompress(inRuns(frame))), inputs[at] ?? expect.fail())).toBe(0);
});
