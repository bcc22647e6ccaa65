import { describe, expect, it } from 'vitest';
import { assemble, bytesSource, digestBytes, disassemble, disassembleUpstream, isOciTarError, splitPieces } from '@oci-tar/core';
import type { ByteSource, PayloadSource } from '@oci-tar/core';
import { Random } from '../fuzz/random.ts';
import { mutate } from '../fuzz/mutate.ts';
import { endMarker, join, rawEntry } from '../tar/raw.ts';
import { failure, gather, inRuns, list } from '../tar/streams.ts';
import { MemoryPayloads } from './payloads.ts';
import fc from '../support/fast-check.ts';

const large = new Uint8Array(1_500_000).fill(3);
const input = join(rawEntry({ name: 'small' }, 's'.repeat(700)), rawEntry({ name: 'large' }, large), endMarker);

async function apart(format: 'own' | 'upstream'): Promise<{ readonly payloads: MemoryPayloads; readonly metadata: Uint8Array }> {
  const payloads = new MemoryPayloads();
  const stream = format === 'own' ? disassemble(inRuns(input), payloads) : disassembleUpstream(inRuns(input), payloads);
  return { payloads, metadata: await gather(stream) };
}

/** What came out before it failed, and how it failed. */
async function attempt(metadata: Uint8Array, payloads: PayloadSource): Promise<{ readonly bytes: number; readonly error: unknown }> {
  let bytes = 0;
  try {
    for await (const run of assemble(inRuns(metadata), payloads)) bytes += run.length;
  } catch (error) {
    return { bytes, error };
  }
  return { bytes, error: undefined };
}

const text = (lines: string) => Buffer.from(lines);
const file = '{"type":1,"name":"a","size":3,"payload":"AAAAAAAAAAA=","position":0}\n';

describe.each(['own', 'upstream'] as const)('payloads that are not what they were, in the %s format,', (format) => {
  const change = async (at: number, replace: (bytes: Uint8Array) => ByteSource) => {
    const { payloads, metadata } = await apart(format);
    const held = [...payloads.held.values()];
    return attempt(metadata, {
      open(key) {
        const source = payloads.open(key);
        return source.size === held[at]?.length ? replace(held[at]) : source;
      },
    });
  };

  it.each([['small', 0, 0], ['large', 1, 2048 + 512]])('never come out for whole: another byte in the %s one', async (_, at, before) => {
    const { bytes, error } = await change(at, (whole) => bytesSource(whole.map((byte, i) => (i === whole.length - 1 ? byte ^ 1 : byte))));
    expect(error).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(bytes).toBeLessThan(before + large.length + 1);
  });

  it.each([['small', 0], ['large', 1]])('are refused by size before a byte of them comes out: the %s one', async (_, at) => {
    const { bytes, error } = await change(at, (whole) => bytesSource(whole.subarray(1)));
    expect(error).toMatchObject({ code: 'SIZE_MISMATCH' });
    expect(bytes).toBeLessThan(input.length - large.length);
  });

  it.each([['small', 0], ['large', 1]])('give no more than their size, whatever their source hands out: the %s one', async (_, at) => {
    const endless = (whole: Uint8Array): ByteSource => ({
      size: whole.length,
      async *read() {
        for (;;) yield whole;
      },
    });
    const { bytes, error } = await change(at, endless);
    expect(isOciTarError(error)).toBe(true);
    expect(bytes).toBeLessThan(input.length);
    const short = await change(at, (whole) => ({ size: whole.length, read: () => bytesSource(whole.subarray(9)).read() }));
    expect(isOciTarError(short.error)).toBe(true);
  });

  it('are missed by name', async () => {
    const { metadata } = await apart(format);
    expect((await attempt(metadata, new MemoryPayloads())).error).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('hostile metadata of the own format', () => {
  const magic = Buffer.from('oci-tar tar-split 1\n');
  const digest = Buffer.alloc(32);
  it.each<[string, Uint8Array, string]>([
    ['nothing at all', Buffer.alloc(0), 'INVALID_TAR'],
    ['no end', magic, 'INVALID_TAR'],
    ['a later version', Buffer.from('oci-tar tar-split 2\n'), 'UNSUPPORTED'],
    ['something else', Buffer.from('PK\u0003\u0004'), 'UNSUPPORTED'],
    ['an unknown record', Buffer.concat([magic, Buffer.from([0x51, 0])]), 'INVALID_TAR'],
    ['a raw record of 2^50 bytes', Buffer.concat([magic, Buffer.from([0x52, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02])]), 'LIMIT_EXCEEDED'],
    ['a raw record that is cut off', Buffer.concat([magic, Buffer.from([0x52, 5, 1, 2])]), 'INVALID_TAR'],
    ['a number above 2^53', Buffer.concat([magic, Buffer.from([0x52, ...Array<number>(9).fill(0xff), 1])]), 'INVALID_TAR'],
    ['a payload of no bytes', Buffer.concat([magic, Buffer.from([0x50, 0]), digest]), 'INVALID_TAR'],
    ['a payload that is cut off', Buffer.concat([magic, Buffer.from([0x50, 9]), digest.subarray(1)]), 'INVALID_TAR'],
    ['an end with the wrong size', Buffer.concat([magic, Buffer.from([0x45, 1]), digest]), 'SIZE_MISMATCH'],
    ['an end with the wrong digest', Buffer.concat([magic, Buffer.from([0x45, 0]), digest]), 'DIGEST_MISMATCH'],
  ])('%s: nothing comes out', async (_, metadata, code) => {
    expect(await attempt(metadata, new MemoryPayloads())).toMatchObject({ bytes: 0, error: { code } });
  });

  it('something after the end is refused', async () => {
    const { payloads, metadata } = await apart('own');
    expect((await attempt(join(metadata, Buffer.from('R')), payloads)).error).toMatchObject({ code: 'INVALID_TAR' });
  });

  it('any change is found, or changes nothing', async () => {
    const { payloads, metadata } = await apart('own');
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const changed = mutate(metadata, new Random(seed));
        try {
          expect(await digestBytes(await gather(assemble(inRuns(changed, [500]), payloads)))).toBe(await digestBytes(input));
        } catch (error) {
          if (!isOciTarError(error)) throw error;
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('hostile JSON lines', () => {
  it.each<[string, Uint8Array, string]>([
    ['no JSON', text('{type:2}\n'), 'INVALID_TAR'],
    ['a doubled key', text('{"type":2,"type":1,"payload":"","position":0}\n'), 'INVALID_TAR'],
    ['an array', text('{"type":2,"payload":"","position":0}\n[]\n'), 'INVALID_TAR'],
    ['an unknown type', text('{"type":3,"payload":"","position":0}\n'), 'INVALID_TAR'],
    ['a position that is left out', text('{"type":2,"payload":"AAAA","position":1}\n'), 'INVALID_TAR'],
    ['a payload that is no base64', text('{"type":2,"payload":"A*AA","position":0}\n'), 'INVALID_TAR'],
    ['a negative size', text(file.replace('3', '-3')), 'INVALID_TAR'],
    ['half a byte', text(file.replace('3', '0.5')), 'INVALID_TAR'],
    ['a short checksum', text(file.replace('AAAAAAAAAAA=', 'AAAA')), 'INVALID_TAR'],
    ['a name of 100 kB', text(file.replace('"a"', `"${'a'.repeat(100_000)}"`)), 'LIMIT_EXCEEDED'],
    ['a line that never ends', join(text('{"type":2,"payload":"'), Buffer.alloc(5_000_000, 'A')), 'LIMIT_EXCEEDED'],
    ['a wrong checksum', text(file), 'DIGEST_MISMATCH'],
  ])('%s: nothing comes out', async (_, metadata, code) => {
    const payloads = new MemoryPayloads();
    payloads.put({ name: Buffer.from('a'), size: 3 }, Buffer.from('abc'));
    expect(await attempt(metadata, payloads)).toMatchObject({ bytes: 0, error: { code } });
  });

  it('counts records and bytes', async () => {
    const lines = text(['{"type":2,"payload":"AAAA","position":0}', '{"type":2,"payload":"AAAA","position":1}', ''].join('\n'));
    expect(await gather(assemble(inRuns(lines), new MemoryPayloads()))).toEqual(new Uint8Array(6));
    expect(await failure(gather(assemble(inRuns(lines), new MemoryPayloads(), { limits: { records: 1 } })))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await failure(gather(assemble(inRuns(lines), new MemoryPayloads(), { limits: { archive: 5 } })))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('takes spaces, other orders, blank lines and no newline at the end, as a JSON reader would', async () => {
    const lines = text(' {"position": 0, "payload": "YWI=", "type": 2}\r\n\n{"type":2,"payload":"Yw==","position":1}\n{"type":1,"payload":null,"name":"x","position":2}\n{"type":2,"payload":"","position":3}');
    // Metadata are told by their first byte.
    expect(Buffer.from(await gather(assemble(inRuns(lines.subarray(1), [7]), new MemoryPayloads()))).toString()).toBe('abc');
  });

  it('says the same written as upstream does and otherwise', async () => {
    const name = fc.oneof(fc.string({ minLength: 1, maxLength: 12 }), fc.constantFrom('a"b', 'a\\b', 'ä', '\u2028', '0'));
    const size = fc.oneof(fc.nat(100), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
    const checksum = fc.uint8Array({ minLength: 8, maxLength: 8 });
    const files = fc.array(fc.record({ name, size, checksum }), { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(files, fc.uint8Array({ maxLength: 30 }), async (entries, raw) => {
        const lines = entries.flatMap((entry, i) => [
          { type: 2, payload: base64(raw), position: 2 * i },
          { type: 1, name: entry.name, size: entry.size, payload: base64(entry.checksum), position: 2 * i + 1 },
        ]);
        const pieces = async (write: (line: object) => string) => list(splitPieces(inRuns(text(lines.map((line) => `${write(line)}\n`).join('')), [100])));
        const found = lines.length === 0 ? [] : await pieces((line) => JSON.stringify(line));
        expect(found).toEqual(lines.length === 0 ? [] : await pieces((line) => JSON.stringify(Object.fromEntries(Object.entries(line).toReversed()))));
        expect(found.filter(({ kind }) => kind === 'payload')).toEqual(
          entries.filter((entry) => entry.size > 0).map((entry) => ({ kind: 'payload', key: { name: new Uint8Array(Buffer.from(entry.name)), size: entry.size }, crc: entry.checksum })),
        );
      }),
    );
  });

  it.each([
    ['"size":3', '"size":03'], ['"size":3', '"size":9007199254740993'], ['"size":3', '"size":3x'], ['"position":0', '"position":00'], ['"position":0', '"position":'],
    ['"position":0}', '"position":0'], ['"position":0}', '"position":0}}'], ['AAAAAAAAAAA=', 'AAAAAAAAAAAA'], ['AAAAAAAAAAA=', 'AAAAAAAAAA=='],
  ])('are refused where they have, instead of %s, %s', async (right, wrong) => {
    expect(await failure(list(splitPieces(inRuns(text(file.replace(right, wrong))))))).toMatchObject({ code: 'INVALID_TAR' });
  });
});

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
