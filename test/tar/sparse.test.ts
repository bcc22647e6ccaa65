import { describe, expect, test } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import { asPlainFile, fileBytes, fileRuns, fileSize } from '../../packages/core/src/tar/sparse.ts';
import type { SparseOptions } from '../../packages/core/src/tar/sparse.ts';
import { runLengths } from './arbitrary.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from './raw.ts';
import { failure, gather, inRuns, list } from './streams.ts';
import fc from '../support/fast-check.ts';

interface Sparse {
  readonly realSize: number;
  readonly pieces: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

const octal = (value: number): Buffer => Buffer.from(`${value.toString(8).padStart(11, '0')}\0`);
const mapOf = (pieces: Sparse['pieces']): number[] => pieces.flatMap(({ offset, bytes }) => [offset, bytes.length]);
const record = (keyword: string, value: string | number): Uint8Array => rawPax({ [keyword]: String(value) });
const padded = (bytes: Uint8Array): Uint8Array => join(bytes, new Uint8Array((512 - (bytes.length % 512)) % 512));

/** An archive of one sparse file, as each generation of GNU tar writes it. */
const generations: Readonly<Record<string, (file: Sparse) => Uint8Array>> = {
  'old GNU': ({ realSize, pieces }) => {
    const places = pieces.map(({ offset, bytes }) => join(octal(offset), octal(bytes.length)));
    const blocks = Array.from({ length: Math.ceil(Math.max(0, places.length - 4) / 21) }, (_, i) => {
      const block = Buffer.alloc(512);
      block.set(join(...places.slice(4 + 21 * i, 25 + 21 * i)));
      block[504] = places.length > 25 + 21 * i ? 1 : 0;
      return new Uint8Array(block);
    });
    const patch: [number, Uint8Array][] = [[386, join(...places.slice(0, 4))], [482, Uint8Array.of(blocks.length > 0 ? 1 : 0)], [483, octal(realSize)]];
    const data = join(...pieces.map(({ bytes }) => bytes));
    return join(rawHeader({ name: 'f', typeflag: 'S', format: 'gnu', size: data.length, patch }), ...blocks, padded(data), endMarker);
  },
  'PAX 0.0': ({ realSize, pieces }) => {
    const data = join(...pieces.map(({ bytes }) => bytes));
    const records = pieces.map(({ offset, bytes }) => join(record('GNU.sparse.offset', offset), record('GNU.sparse.numbytes', bytes.length)));
    const head = join(record('GNU.sparse.size', realSize), record('GNU.sparse.numblocks', pieces.length), ...records);
    return join(rawEntry({ name: 'x', typeflag: 'x' }, head), rawHeader({ name: 'f', size: data.length }), padded(data), endMarker);
  },
  'PAX 0.1': ({ realSize, pieces }) => {
    const data = join(...pieces.map(({ bytes }) => bytes));
    const head = rawPax({ 'GNU.sparse.size': String(realSize), 'GNU.sparse.name': 'f', 'GNU.sparse.map': mapOf(pieces).join(',') });
    return join(rawEntry({ name: 'x', typeflag: 'x' }, head), rawHeader({ name: 'GNUSparseFile.1/f', size: data.length }), padded(data), endMarker);
  },
  'PAX 1.0': ({ realSize, pieces }) => {
    const map = padded(Buffer.from([pieces.length, ...mapOf(pieces)].map((n) => `${n}\n`).join('')));
    const data = join(map, ...pieces.map(({ bytes }) => bytes));
    const head = rawPax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': String(realSize), 'GNU.sparse.name': 'f' });
    return join(rawEntry({ name: 'x', typeflag: 'x' }, head), rawHeader({ name: 'GNUSparseFile.1/f', size: data.length }), padded(data), endMarker);
  },
};
const names = Object.keys(generations);
const archiveOf = (generation: string, file: Sparse): Uint8Array => generations[generation]?.(file) ?? endMarker;

const files: fc.Arbitrary<Sparse> = fc
  .record({ parts: fc.array(fc.record({ hole: fc.nat(5000), bytes: fc.uint8Array({ minLength: 1, maxLength: 900 }) }), { maxLength: 40 }), tail: fc.nat(3000) })
  .map(({ parts, tail }) => {
    let at = 0;
    const pieces = parts.map(({ hole, bytes }) => {
      const offset = at + hole;
      at = offset + bytes.length;
      return { offset, bytes };
    });
    return { realSize: at + tail, pieces };
  });

function whole({ realSize, pieces }: Sparse): Uint8Array {
  const bytes = new Uint8Array(realSize);
  for (const piece of pieces) bytes.set(piece.bytes, piece.offset);
  return bytes;
}

async function expanded(archive: Uint8Array, options?: SparseOptions, lengths?: readonly number[]): Promise<Uint8Array> {
  for await (const entry of entries(inRuns(archive, lengths))) {
    const bytes = await gather(fileBytes(entry, entry.data, options));
    expect(bytes.length).toBe(fileSize(entry));
    return bytes;
  }
  throw new Error('no entry');
}

describe('the bytes of a sparse file', () => {
  test.each(names)('of the %s kind are those of the file, whatever runs the archive comes in', async (generation) => {
    await fc.assert(
      fc.asyncProperty(files, runLengths, async (file, lengths) => {
        expect(Buffer.compare(await expanded(archiveOf(generation, file), {}, lengths), whole(file))).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  const file: Sparse = { realSize: 2 ** 33, pieces: [{ offset: 5, bytes: Buffer.from('head') }, { offset: 2 ** 33 - 4, bytes: Buffer.from('tail') }] };

  test.each(names)('of the %s kind come without their holes where those are not wanted', async (generation) => {
    for await (const entry of entries(inRuns(archiveOf(generation, file)))) {
      expect(fileSize(entry)).toBe(2 ** 33);
      const runs = await list(fileRuns(entry, entry.data));
      expect(runs.map(({ offset, bytes }) => [offset, Buffer.from(bytes).toString()])).toEqual([[5, 'head'], [2 ** 33 - 4, 'tail']]);
    }
  });

  test.each(names)('of the %s kind can be packed as a plain file', async (generation) => {
    const small: Sparse = { realSize: 3000, pieces: [{ offset: 1000, bytes: Buffer.from('middle') }] };
    const plain = async function* (): AsyncGenerator<Parameters<typeof asPlainFile>[0]> {
      for await (const entry of entries(inRuns(archiveOf(generation, small)))) yield asPlainFile(entry);
    };
    const found = await list(entries(inRuns(await gather(pieceBytes(pack(plain()))))));
    expect(found).toMatchObject([{ path: 'f', type: 'file', typeflag: '0', size: 3000 }]);
    expect(found[0]?.sparse).toBeUndefined();
    expect(found[0]?.pax.size).toBe(0);
  });

  test('are the body as it is where the file is not sparse', async () => {
    expect(Buffer.from(await expanded(join(rawEntry({}, 'plain'), endMarker))).toString()).toBe('plain');
  });

  test.each(names)('of the %s kind are refused when there are too many, before the first one', async (generation) => {
    expect(await failure(expanded(archiveOf(generation, file), { sizeLimit: 2 ** 32 }))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 2 ** 32, subject: 'f' } });
    expect(await failure(expanded(archiveOf(generation, file), { pieceLimit: 1 }))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 1 } });
  });

  test.each<[string, Sparse]>([
    ['that overlap', { realSize: 100, pieces: [{ offset: 10, bytes: Buffer.from('abcd') }, { offset: 12, bytes: Buffer.from('efgh') }] }],
    ['that go back', { realSize: 100, pieces: [{ offset: 50, bytes: Buffer.from('a') }, { offset: 10, bytes: Buffer.from('b') }] }],
    ['beyond the end of the file', { realSize: 12, pieces: [{ offset: 10, bytes: Buffer.from('abcd') }] }],
  ])('are INVALID_TAR when the map has pieces %s', async (_, bad) => {
    for (const generation of names) expect(await failure(expanded(archiveOf(generation, bad))), generation).toMatchObject({ code: 'INVALID_TAR' });
  });

  const pax = (records: Record<string, string>, body: string | Uint8Array): Uint8Array =>
    join(rawEntry({ name: 'x', typeflag: 'x' }, rawPax({ 'GNU.sparse.realsize': '1000', ...records })), rawEntry({ name: 'f' }, body), endMarker);
  test.each<[string, Uint8Array]>([
    ['is not the whole body', pax({ 'GNU.sparse.map': '0,3' }, 'abcd')],
    ['is more than the body', pax({ 'GNU.sparse.map': '0,5' }, 'abcd')],
    ['has an offset without a size', pax({ 'GNU.sparse.map': '0,4,9' }, 'abcd')],
    ['is text', pax({ 'GNU.sparse.map': 'a,b' }, 'abcd')],
    ['has numbers of 2^53 and more', pax({ 'GNU.sparse.map': '0,9007199254740993' }, 'abcd')],
    ['is missing', pax({}, 'abcd')],
    ['is of a version to come', pax({ 'GNU.sparse.major': '2' }, 'abcd')],
    ['is cut off', pax({ 'GNU.sparse.major': '1' }, '1\n')],
    ['promises more than there is', pax({ 'GNU.sparse.major': '1' }, padded(Buffer.from('9\n0\n1\n')))],
    ['is one endless number', pax({ 'GNU.sparse.major': '1' }, Buffer.alloc(1024, '1'))],
  ])('are INVALID_TAR when the map %s', async (_, archive) => {
    expect(await failure(expanded(archive))).toMatchObject({ code: 'INVALID_TAR', details: { subject: 'f' } });
  });

  test('never come from a map whose count alone is beyond the limit', async () => {
    expect(await failure(expanded(pax({ 'GNU.sparse.major': '1' }, padded(Buffer.from('9007199254740991\n')))))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});
