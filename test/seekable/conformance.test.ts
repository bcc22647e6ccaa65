import { crc32 } from 'node:zlib';
import { bytesSource, collect, digestBytes, estargz, externalTocCompressor, externalTocDecompressor, OciTarError, openSeekable, parseToc, stringifyToc, zstdChunked, zstdChunkedDecompressor, zstdChunkedV1Decompressor } from '@oci-tar/core';
import type { ByteStream, Compressor, Decompressor, SeekableFormat } from '@oci-tar/core';
import { blobDiffID, memberOffsets, seekableConformance } from '@oci-tar/core/testing';
import type { SeekableHarness } from '@oci-tar/core/testing';
import { describe, expect, it } from 'vitest';
import { built, file, tarOf } from './support.ts';

const refuse = (what: string): OciTarError => new OciTarError('INVALID_COMPRESSION', `stored input is broken: ${what}`);
const word = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);

/** A format of somebody else: each member is a length, a check and the bytes as they are; the TOC is bare JSON behind them, the footer a magic of its own. */
function storedFormat(): SeekableFormat {
  const magic = 'STORED-1';
  const seal = (bytes: Uint8Array): Uint8Array => word(crc32(bytes));
  const packed = (bytes: Uint8Array): Uint8Array => new Uint8Array([...word(bytes.length), ...seal(bytes), ...bytes]);
  const decompressor: Decompressor = {
    name: 'stored',
    suffix: '+gzip',
    footerSize: 16,
    parseFooter(footer) {
      const text = Buffer.from(footer).toString('latin1');
      return text.endsWith(magic) && /^\d{8}/.test(text) ? { tocOffset: Number(text.slice(0, 8)), payloadSize: Number(text.slice(0, 8)) } : undefined;
    },
    decompressToc: (bytes, { limit }) => collect(bytes ?? bytesSource(new Uint8Array(0)).read(), limit, 'the TOC'),
    async parseToc(bytes, options) {
      const json = await this.decompressToc(bytes, options);
      return { toc: parseToc(json, options), tocDigest: await digestBytes(json) };
    },
    async *reader(bytes: ByteStream) {
      const all = await collect(bytes, 2 ** 26, 'members');
      for (let at = 0; at < all.length; ) {
        if (at + 8 > all.length) throw refuse('a member has no header');
        const size = new DataView(all.buffer, all.byteOffset + at).getUint32(0, true);
        const content = all.subarray(at + 8, at + 8 + size);
        if (content.length < size || Buffer.compare(seal(content), all.subarray(at + 4, at + 8)) !== 0) throw refuse('a member is not what it was');
        yield content;
        at += 8 + size;
      }
    },
  };
  return {
    ...decompressor,
    parallelism: 2,
    start: () => ({
      member: async (parts) => packed(new Uint8Array(Buffer.concat([...parts]))),
      async tocAndFooter({ toc, offset }) {
        const json = stringifyToc(toc);
        const footer = new TextEncoder().encode(String(offset).padStart(8, '0') + magic);
        return { bytes: [json, footer], tar: [], tocDigest: await digestBytes(json), annotations: {} };
      },
    }),
  };
}

function same(compressor: Compressor, decompressor: Decompressor, more: Partial<SeekableHarness> = {}): SeekableHarness {
  return { compressor, decompressor: () => decompressor, ...more };
}

const own = estargz({ level: 1 });
const foreign = storedFormat();
const formats: readonly (readonly [string, SeekableHarness])[] = [
  ['eStargz', same(own, own)],
  ['eStargz with its TOC elsewhere', { compressor: externalTocCompressor({ level: 1 }), decompressor: ({ externalToc }) => externalTocDecompressor(bytesSource(externalToc ?? new Uint8Array(0))) }],
  ['zstd:chunked, version 1', same(zstdChunked({ version: 1 }), zstdChunkedV1Decompressor)],
  ['zstd:chunked, version 2', same(zstdChunked(), zstdChunkedDecompressor, { chunksAlone: true, ownChunks: true })],
  ['a format of somebody else', same(foreign, foreign)],
];

describe.each(formats)('%s', (_, harness) => {
  for (const { name, run } of seekableConformance(harness)) it(name, run);
});

describe('the suite of cases for formats', () => {
  const runOf = (harness: SeekableHarness, wanted: string): Promise<void> => {
    const found = seekableConformance(harness).find(({ name }) => name === wanted);
    return found === undefined ? Promise.reject(new TypeError(`no case ${wanted}`)) : found.run();
  };

  it('finds a format that writes other bytes each time', async () => {
    let count = 0;
    const restless: Compressor = { ...foreign, start: () => ({ ...foreign.start(), tocAndFooter: async (end) => {
      const { bytes, ...rest } = await foreign.start().tocAndFooter(end);
      count += 1;
      return { ...rest, bytes: [new TextEncoder().encode(' '.repeat(count % 3)), ...bytes] };
    } }) };
    await expect(runOf(same(restless, foreign), 'writes the same bytes, whatever the number of cores and the runs of the tar')).rejects.toThrow(/length of the blob|differs/);
  });

  it('finds a reader that passes over what is broken', async () => {
    const careless: Decompressor = {
      ...foreign,
      reader: async function* (bytes) {
        const all = await collect(bytes, 2 ** 26, 'members');
        for (let at = 0; at < all.length; ) {
          const size = (all[at] ?? 0) + 256 * (all[at + 1] ?? 0) + 65536 * (all[at + 2] ?? 0);
          yield all.subarray(at + 8, at + 8 + size);
          at += 8 + size;
        }
      },
      parseFooter: (footer) => foreign.parseFooter(footer) ?? { tocOffset: 0 },
    };
    await expect(runOf(same(foreign, careless), 'knows its own footer, and nothing else for one')).rejects.toThrow('something else is taken for a footer');
    await expect(runOf(same(foreign, { ...foreign, suffix: '+zstd' }), 'tells digest, size and diffID of what it wrote')).rejects.toThrow('suffix');
  });

  it('refuses to leave out a case that there is not', () => {
    expect(() => seekableConformance(same(own, own, { skip: [{ name: 'no such case', reason: 'none' }] }))).toThrow('no such case');
  });
});

it('tells where the members of a blob start, and the diffID of a blob', async () => {
  const { blob, report } = await built(await tarOf(file('a', 'one'), file('b', 'two')), { lossless: true });
  const { chunks, parts } = await openSeekable(bytesSource(blob));
  expect(await memberOffsets(blob)).toEqual([0, ...chunks.map(({ offset }) => offset), parts.tocOffset]);
  expect(await blobDiffID(blob)).toBe(report.diffID);
});
