import { describe, expect, test } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { archives } from './arbitrary.ts';
import { endMarker, join, rawEntry, rawHeader } from './raw.ts';
import { CountingSource, failure, inRuns, list } from './streams.ts';
import fc from '../support/fast-check.ts';

describe('indexTar', () => {
  test('finds what reading the archive through finds', async () => {
    await fc.assert(
      fc.asyncProperty(archives, async (archive) => {
        const streamed = await list(entries(inRuns(archive)));
        const index = await indexTar(new CountingSource(archive));
        expect(index).toEqual(
          streamed.map(({ path, type, mode, size, linkname, offset, dataOffset, sparse }) => ({ path, type, mode, size, linkname, offset, dataOffset, ...(sparse && { sparse: { realSize: sparse.realSize } }) })),
        );
      }),
    );
  });

  test('gives the places of the bodies', async () => {
    const archive = join(rawEntry({ name: 'a' }, 'first'), rawEntry({ name: 'b' }, 'second'), endMarker);
    const bodies = (await indexTar(new CountingSource(archive))).map(({ dataOffset, size }) => Buffer.from(archive.subarray(dataOffset, dataOffset + size)).toString());
    expect(bodies).toEqual(['first', 'second']);
  });

  test('fails where reading through fails, with the same error', async () => {
    await fc.assert(
      fc.asyncProperty(archives, fc.nat(), fc.nat(), fc.nat(255), async (archive, cut, flip, to) => {
        const bytes = archive.slice(0, archive.length - (cut % 2000));
        if (bytes.length > 0) bytes[flip % bytes.length] = to;
        const outcome = (work: Promise<unknown[]>): Promise<unknown> => work.then((found) => found.length, (error: unknown) => String(error));
        expect(await outcome(indexTar(new CountingSource(bytes)))).toEqual(await outcome(list(entries(inRuns(bytes)))));
      }),
    );
  });

  test('says which entry reaches beyond the end of the file', async () => {
    const archive = join(rawEntry({ name: 'whole' }, 'x'), rawHeader({ name: 'blob', size: 5000 }), new Uint8Array(1000));
    expect(await failure(indexTar(new CountingSource(archive)))).toMatchObject({
      code: 'INVALID_TAR',
      message: 'the tar archive is truncated at byte 2536: entry "blob" ends at byte 6536',
      details: { offset: 2536, subject: 'blob' },
    });
  });

  test('demands the end marker, unless told not to', async () => {
    const cut = new CountingSource(rawEntry({}, 'x'));
    expect(await failure(indexTar(cut))).toMatchObject({ code: 'INVALID_TAR', details: { offset: 1024 } });
    expect(await indexTar(cut, { requireEnd: false })).toHaveLength(1);
  });

  test('does not read large bodies', async () => {
    const source = new CountingSource(join(...Array.from({ length: 5 }, () => rawEntry({}, new Uint8Array(500_000))), endMarker));
    await indexTar(source);
    const read = source.reads.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(read).toBeLessThan(50_000);
  });

  test('reads far ahead where entries are small', async () => {
    const source = new CountingSource(join(...Array.from({ length: 4000 }, () => rawHeader({})), endMarker));
    expect(await indexTar(source)).toHaveLength(4000);
    expect(source.reads.length).toBeLessThan(15);
  });

  test('keeps the exact name only where it is not UTF-8', async () => {
    const name = Uint8Array.of(0x61, 0xff);
    const [strange, literal] = await indexTar(new CountingSource(join(rawHeader({ name }), rawHeader({ name: 'a\ufffd' }), endMarker)));
    expect(strange).toMatchObject({ path: 'a\ufffd', pathBytes: name });
    expect(literal).not.toHaveProperty('pathBytes');
  });

  test('stops at its limit of entries and at the signal', async () => {
    const source = new CountingSource(join(...Array.from({ length: 4 }, () => rawHeader({})), endMarker));
    expect(await failure(indexTar(source, { entryLimit: 3 }))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 3, offset: 1536 } });
    expect(await indexTar(source, { entryLimit: 4 })).toHaveLength(4);
    const reason = new Error('enough');
    expect(await failure(indexTar(source, { signal: AbortSignal.abort(reason) }))).toBe(reason);
  });

  test('notices a source that is shorter or longer than it claims', async () => {
    const archive = join(rawEntry({}, 'x'), endMarker);
    expect(await failure(indexTar(new CountingSource(archive, archive.length + 5000)))).toMatchObject({ code: 'SIZE_MISMATCH' });
    const long = { size: 1024, read: () => inRuns(new Uint8Array(5000)) };
    expect(await failure(indexTar(long))).toMatchObject({ code: 'SIZE_MISMATCH' });
  });
});
