import { describe, expect, it } from 'vitest';
import { assemble, bytesSource, digestBytes, disassemble, disassembleUpstream, disassembling, isOciTarError } from '@oci-tar/core';
import type { PayloadKey } from '@oci-tar/core';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import { mutate } from '../fuzz/mutate.ts';
import { Random } from '../fuzz/random.ts';
import { MemorySink } from '../support/sinks.ts';
import { archives, runLengths, samples } from '../tar/arbitrary.ts';
import { endMarker, join, rawEntry, rawHeader } from '../tar/raw.ts';
import { gather, inRuns } from '../tar/streams.ts';
import { MemoryPayloads } from './payloads.ts';
import fc from '../support/fast-check.ts';

const packed = fc.array(samples, { maxLength: 8 }).map((entries) => ({ entries }));
const mutated = fc.tuple(archives, fc.nat()).map(([bytes, seed]) => (bytes.length === 0 ? bytes : mutate(bytes, new Random(seed))));
const anything = fc.oneof(archives, mutated, fc.uint8Array({ maxLength: 3000 }));

async function thereAndBack(input: Uint8Array, lengths: readonly number[]): Promise<{ readonly output: Uint8Array; readonly metadata: Uint8Array }> {
  const payloads = new MemoryPayloads();
  const metadata = await gather(disassemble(inRuns(input, lengths), payloads));
  return { metadata, output: await gather(assemble(inRuns(metadata, lengths), payloads)) };
}

/** Not `toEqual`, which takes seconds for a MiB. */
function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(actual, expected) === 0, `${actual.length} bytes, expected ${expected.length}`).toBe(true);
}

describe('the own format', () => {
  it('gives back any bytes at all, tar or not, whatever runs they come in', async () => {
    await fc.assert(
      fc.asyncProperty(anything, runLengths, runLengths, async (input, lengths, others) => {
        const first = await thereAndBack(input, lengths);
        expectSame(first.output, input);
        expectSame((await thereAndBack(input, others)).metadata, first.metadata);
      }),
      { numRuns: 300 },
    );
  });

  it('gives back what pack writes, with names, times and attributes of every kind', async () => {
    await fc.assert(
      fc.asyncProperty(packed, runLengths, async ({ entries }, lengths) => {
        const input = await gather(pieceBytes(pack(entries)));
        expectSame((await thereAndBack(input, lengths)).output, input);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps a body of a file once, also where two entries have one name', async () => {
    const body = 'the same text in two places, longer than its digest';
    const input = join(rawEntry({ name: 'a' }, body), rawEntry({ name: 'a' }, body), rawEntry({ name: 'short' }, 'stays'), endMarker);
    const payloads = new MemoryPayloads();
    const metadata = await gather(disassemble(inRuns(input), payloads));
    expect([...payloads.held]).toEqual([[await digestBytes(Buffer.from(body)), new Uint8Array(Buffer.from(body))]]);
    expect(payloads.taken).toBe(2);
    expectSame(await gather(assemble(inRuns(metadata), payloads)), input);
  });

  it('streams bodies and tails of several MiB, of which the size may be a lie', async () => {
    const body = new Uint8Array(2_500_000).fill(7);
    const whole = join(rawEntry({ name: 'large' }, body), endMarker, new Uint8Array(1_300_000).fill(1));
    for (const input of [whole, whole.subarray(0, 1_200_000), join(rawHeader({ size: 8 ** 11 - 1 }), body), join(rawHeader({ size: 100 }), body.subarray(0, 50))]) {
      expectSame((await thereAndBack(input, [65_536, 1000, 300_000])).output, input);
    }
  });

  it('waits for payloads that are slow to be taken', async () => {
    class SlowPayloads extends MemoryPayloads {
      override async put(key: PayloadKey, bytes: Uint8Array): Promise<void> {
        await new Promise(setImmediate);
        super.put(key, bytes);
      }
    }
    const input = join(rawEntry({ name: 'a' }, 'a'.repeat(100)), rawEntry({ name: 'b' }, 'b'.repeat(100)), endMarker);
    for (const takeApart of [disassemble, disassembleUpstream]) {
      const payloads = new SlowPayloads();
      const metadata = await gather(takeApart(inRuns(input), payloads));
      expect(payloads.taken).toBe(2);
      expectSame(await gather(assemble(inRuns(metadata), payloads)), input);
    }
  });

  it('is, byte for byte, what its page says', async () => {
    const body = 'x'.repeat(200);
    const input = join(rawEntry({ name: 'a' }, body), endMarker);
    const digestOf = async (bytes: Uint8Array) => Buffer.from((await digestBytes(bytes)).slice(7), 'hex');
    const metadata = await gather(disassemble(inRuns(input), new MemoryPayloads()));
    const padding = 512 - 200 + 1024;
    const expected = [
      Buffer.from('oci-tar tar-split 1\n'),
      Buffer.from([0x52, 0x80, 0x04]), input.subarray(0, 512),
      Buffer.from([0x50, 0xc8, 0x01]), await digestOf(Buffer.from(body)),
      Buffer.from([0x52, 0x80 | (padding & 127), padding >> 7]), input.subarray(712),
      Buffer.from([0x45, 0x80, 0x10]), await digestOf(input),
    ];
    expect(Buffer.from(metadata).toString('hex')).toBe(Buffer.concat(expected).toString('hex'));
  });
});

describe('upstream\'s format', () => {
  it('gives an archive back exactly, or says that it cannot hold it', async () => {
    const outcomes = { same: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.oneof(archives, mutated), runLengths, runLengths, async (input, lengths, others) => {
        const payloads = new MemoryPayloads();
        try {
          const metadata = await gather(disassembleUpstream(inRuns(input, lengths), payloads));
          expectSame(await gather(assemble(inRuns(metadata, others), payloads)), input);
          outcomes.same += 1;
        } catch (error) {
          if (!isOciTarError(error, 'UNSUPPORTED') && !isOciTarError(error, 'LIMIT_EXCEEDED')) throw error;
          outcomes.refused += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(outcomes.same).toBeGreaterThan(20);
    expect(outcomes.refused).toBeGreaterThan(20);
  });

  it('is written in lines with its fields, their order and escapes as Go has them', async () => {
    const input = join(
      rawEntry({ name: 'd/', typeflag: '5' }),
      rawEntry({ name: 'd/<&>"\\\t\u2028é' }, 'imma hurr til I derp'),
      rawEntry({ name: Uint8Array.of(0x66, 0xff) }),
      endMarker,
      new Uint8Array(512),
    );
    const lines = Buffer.from(await gather(disassembleUpstream(inRuns(input, [700]), new MemoryPayloads()))).toString().split('\n');
    const segment = (start: number, end: number, position: number) => `{"type":2,"payload":"${Buffer.from(input.subarray(start, end)).toString('base64')}","position":${position}}`;
    expect(lines).toEqual([
      segment(0, 512, 0),
      '{"type":1,"name":"d/","payload":null,"position":1}',
      segment(512, 1024, 2),
      String.raw`{"type":1,"name":"d/\u003c\u0026\u003e\"\\\t\u2028é","size":20,"payload":"AnSksavsa04=","position":3}`,
      segment(1044, 2048, 4),
      '{"type":1,"name_raw":"Zv8=","payload":null,"position":5}',
      segment(2048, 3072, 6),
      segment(3072, 3584, 7),
      '',
    ]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['two names that come to the same', join(rawEntry({ name: './a' }, 'x'), rawEntry({ name: 'b/../a' }, 'y'), endMarker), /has "a" twice/],
    ['a sparse file', join(rawHeader({ name: 's', typeflag: 'S', format: 'gnu', patch: [[483, Buffer.from('00000040000\0')]] }), endMarker), /"s" is a sparse file/],
    ['a damaged header', join(rawEntry({ name: 'a' }), rawHeader({ checksum: 'wrong' }), endMarker), /checksum is wrong/],
    ['a cut-off body', rawEntry({ name: 'a' }, 'x'.repeat(600)).subarray(0, 900), /truncated/],
    ['cut-off padding', rawEntry({ name: 'a' }, 'x'.repeat(600)).subarray(0, 1200), /truncated/],
  ])('refuses %s and says why', async (_, input, why) => {
    const error = await gather(disassembleUpstream(inRuns(input), new MemoryPayloads())).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(why), hint: expect.stringContaining('--upstream') });
    // The own format takes it.
    expectSame((await thereAndBack(input, [65536])).output, input);
  });

  it('bounds the entries whose names it remembers', async () => {
    const input = join(...Array.from({ length: 5 }, (_, i) => rawEntry({ name: `f${i}` })), endMarker);
    await expect(gather(disassembleUpstream(inRuns(input), new MemoryPayloads(), { entryLimit: 4 }))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 4 } });
  });
});

describe('taking apart on the way', () => {
  const input = join(rawEntry({ name: 'a' }, 'b'.repeat(5000)), endMarker);

  it('passes the archive on as it is and leaves whole metadata', async () => {
    const payloads = new MemoryPayloads();
    const metadata = new MemorySink();
    expectSame(await gather(disassembling(inRuns(input, [999]), (tar) => disassemble(tar, payloads), metadata)), input);
    expect(metadata.ended).toBe('committed');
    expectSame(await gather(assemble(bytesSource(metadata.bytes).read(), payloads)), input);
  });

  it('gives the metadata up where the archive is not read to its end, and where its reading fails', async () => {
    const left = new MemorySink();
    for await (const run of disassembling(inRuns(input, [999]), (tar) => disassemble(tar, new MemoryPayloads()), left)) {
      expect(run.length).toBe(999);
      break;
    }
    expect(left.ended).toBe('aborted');
    const failed = new MemorySink();
    const failing = async function* () {
      yield input.subarray(0, 1000);
      throw new Error('broken pipe');
    };
    await expect(gather(disassembling(failing(), (tar) => disassemble(tar, new MemoryPayloads()), failed))).rejects.toThrow('broken pipe');
    expect(failed.ended).toBe('aborted');
  });
});
