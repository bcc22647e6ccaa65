import { describe, expect, test } from 'vitest';
import { TokenReader, tokens } from '../../packages/core/src/tar/tokens.ts';
import type { TarToken, TokenOptions } from '../../packages/core/src/tar/tokens.ts';
import { archives, rawEntries, runLengths } from './arbitrary.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from './raw.ts';
import type { RawHeader } from './raw.ts';
import { failure, inRuns, list } from './streams.ts';
import fc from '../support/fast-check.ts';

const read = (bytes: Uint8Array, options?: TokenOptions, lengths?: readonly number[]): Promise<TarToken[]> =>
  list(tokens(inRuns(bytes, lengths), options));

const joined = (found: readonly TarToken[]): Uint8Array => join(...found.map((token) => token.bytes));

/** What tokens say, with neighbouring runs of one kind as one. */
function meaning(found: readonly TarToken[]): unknown[] {
  const merged: { kind: string; offset: number; bytes: Uint8Array[]; said: unknown }[] = [];
  for (const token of found) {
    const last = merged.at(-1);
    if (last?.kind === token.kind && ['data', 'trailer', 'raw'].includes(token.kind)) last.bytes.push(token.bytes);
    else {
      const said = token.kind === 'header' ? token.entry : token.kind === 'global' ? token.pax : token.kind === 'raw' ? token.error.message : '';
      merged.push({ kind: token.kind, offset: token.offset, bytes: [token.bytes], said });
    }
  }
  return merged.map((token) => ({ ...token, bytes: Buffer.from(join(...token.bytes)).toString('base64') }));
}

describe('the tokens of an archive', () => {
  test('are the archive when they are joined, each where it says it is', async () => {
    await fc.assert(
      fc.asyncProperty(archives, fc.uint8Array({ maxLength: 2000 }), async (archive, trailer) => {
        const input = join(archive, trailer);
        const found = await read(input);
        expect(Buffer.compare(joined(found), input)).toBe(0);
        let at = 0;
        for (const token of found) {
          expect(token.offset).toBe(at);
          at += token.bytes.length;
        }
      }),
    );
  });

  test('mean the same in whatever runs the archive arrives', async () => {
    await fc.assert(
      fc.asyncProperty(archives, runLengths, async (archive, lengths) => {
        expect(meaning(await read(archive, {}, lengths))).toEqual(meaning(await read(archive)));
      }),
    );
  });

  test('are still the input when it is no archive at all, or one that was cut or changed', async () => {
    const damage = fc.record({ cut: fc.nat(5000), flip: fc.nat(5000), to: fc.nat(255) });
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.tuple(archives, damage).map(([archive, { cut, flip, to }]) => {
        const bytes = archive.slice(0, archive.length - (cut % (archive.length + 1)));
        if (bytes.length > 0) bytes[flip % bytes.length] = to;
        return bytes;
      }),
    );
    await fc.assert(
      fc.asyncProperty(any, runLengths, async (input, lengths) => {
        expect(Buffer.compare(joined(await read(input, { onInvalid: 'raw' }, lengths)), input)).toBe(0);
      }),
    );
  });

  test('come in the runs of the input, not in blocks', async () => {
    const archive = join(rawEntry({}, new Uint8Array(1_000_000)), endMarker);
    const data = (await read(archive, {}, [200_000])).filter((token) => token.kind === 'data');
    expect(data.length).toBeLessThanOrEqual(6);
  });

  test('do not keep the run alive that their header came in', async () => {
    const [header] = await read(join(rawEntry({ name: 'kept' }), new Uint8Array(60_000)));
    expect(header?.kind === 'header' && header.entry.pathBytes.buffer.byteLength).toBe(512);
  });

  test('name the kinds in their order', async () => {
    const archive = join(rawEntry({ typeflag: 'g' }, rawPax({ comment: 'c' })), rawEntry({}, 'body'), rawEntry({ typeflag: '5' }), endMarker, new Uint8Array(512));
    expect((await read(archive)).map((token) => token.kind)).toEqual(['global', 'header', 'data', 'padding', 'header', 'end', 'trailer']);
  });

  test('after the end marker are a trailer, even where it looks like another archive', async () => {
    const found = await read(join(endMarker, rawEntry({}, 'more'), endMarker));
    expect(found.map((token) => token.kind)).toEqual(['end', 'trailer']);
  });
});

describe('the entry of a header', () => {
  const entryOf = async (...parts: Uint8Array[]): Promise<Extract<TarToken, { kind: 'header' }>['entry']> => {
    const found = await read(join(...parts), { requireEnd: false });
    const header = found.findLast((token) => token.kind === 'header');
    if (header === undefined) throw new Error('no header');
    return header.entry;
  };
  const pax = (records: Record<string, string | Uint8Array>, typeflag = 'x'): Uint8Array => rawEntry({ name: 'p', typeflag }, rawPax(records));
  const long = (typeflag: string, name: string): Uint8Array => rawEntry({ name: '././@LongLink', typeflag, format: 'gnu' }, name);

  test('has the values of its PAX records', async () => {
    const records = { path: 'ä/long', linkpath: 'to/ö', uid: '1000650000', gid: '3000000', mtime: '-1.5', uname: 'jürgen', gname: 'grün' };
    expect(await entryOf(pax(records), rawHeader({ typeflag: '2' }))).toMatchObject({
      path: 'ä/long', linkname: 'to/ö', uid: 1000650000, gid: 3000000, mtime: -1.5, uname: 'jürgen', gname: 'grün',
    });
  });

  test('has global records below its own, and an empty one of its own takes a global one back', async () => {
    const globals = pax({ uname: 'global', gname: 'global', mtime: '5' }, 'g');
    const entry = await entryOf(globals, pax({ uname: 'own', gname: '' }), rawHeader({ gname: 'field' }));
    expect(entry).toMatchObject({ uname: 'own', gname: 'field', mtime: 5 });
    expect([...entry.globals.keys()]).toEqual(['uname', 'gname', 'mtime']);
  });

  test('has its own records also where a global header stands between them and it', async () => {
    const entry = await entryOf(pax({ uname: 'own' }), pax({ gname: 'global' }, 'g'), rawHeader({ name: 'n' }));
    expect(entry).toMatchObject({ path: 'n', uname: 'own', gname: 'global', offset: 0, dataOffset: 2560 });
  });

  test('takes neither path nor size from a global record', async () => {
    expect(await entryOf(pax({ path: 'all/the/same', size: '4096' }, 'g'), rawHeader({ name: 'own' }))).toMatchObject({ path: 'own', size: 0 });
  });

  test('has the GNU long names, up to their NUL', async () => {
    const path = `${'p'.repeat(700)}/name`;
    expect(await entryOf(long('L', `${path}\0rest`), long('K', 'l'.repeat(300)), rawHeader({ typeflag: '2', format: 'gnu' }))).toMatchObject({
      path, linkname: 'l'.repeat(300), offset: 0, dataOffset: 3072,
    });
  });

  test('has a body of more than 8 GiB by base-256 or by record', async () => {
    const size = 9 * 2 ** 30;
    for (const parts of [[rawHeader({ size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 2, 0x40, 0, 0, 0]) })], [pax({ size: String(size) }), rawHeader({})]]) {
      const stream = tokens(inRuns(join(...parts)));
      const first = await stream.next();
      expect(first.value).toMatchObject({ kind: 'header', entry: { size } });
      await stream.return();
    }
  });

  describe('of a hardlink', () => {
    const link = rawHeader({ name: 'link', typeflag: '1', linkname: 'to', size: 600 });
    const body = new Uint8Array(1024).fill(0x61, 0, 600);
    const shape = async (...parts: Uint8Array[]): Promise<unknown[]> =>
      (await read(join(...parts), { requireEnd: false })).map((token) => (token.kind === 'header' ? `${token.entry.path} ${token.entry.size}` : token.kind));

    test('has the body that its size speaks of only where one follows', async () => {
      expect(await shape(link, body, rawEntry({ name: 'next' }, 'x'), endMarker)).toEqual(['link 600', 'data', 'padding', 'next 1', 'data', 'padding', 'end']);
      expect(await shape(link, rawEntry({ name: 'next' }, 'x'), endMarker)).toEqual(['link 0', 'next 1', 'data', 'padding', 'end']);
      expect(await shape(link, endMarker)).toEqual(['link 0', 'end']);
      expect(await shape(link)).toEqual(['link 0']);
    });

    test('has it in whatever runs it comes', async () => {
      const archive = join(rawEntry({ name: 'long', typeflag: 'L', format: 'gnu' }, 'l'.repeat(200)), link, body, endMarker);
      for (const length of [1, 511, 512, 513, 3000]) expect(meaning(await read(archive, {}, [length]))).toEqual(meaning(await read(archive)));
      expect(Buffer.compare(joined(await read(archive)), archive)).toBe(0);
    });
  });

  test("has the PAX records of Solaris, and star's numbers of a device", async () => {
    expect(await entryOf(pax({ path: 'sun' }, 'X'), rawHeader({}))).toMatchObject({ path: 'sun' });
    const numbers = { 'SCHILY.devmajor': '4294967295', 'SCHILY.devminor': '7' };
    expect(await entryOf(pax(numbers), rawHeader({ typeflag: '4', devminor: 3 }))).toMatchObject({ devmajor: 4294967295, devminor: 7 });
    expect(await entryOf(pax(numbers), rawHeader({}))).toMatchObject({ devmajor: 0, devminor: 0 });
  });

  test.each(['1', '2', '3', '4', '5', '6'])('has no body when its type is %s, whatever its size field says', async (typeflag) => {
    const found = await read(join(rawHeader({ typeflag, size: 5000 }), rawEntry({ name: 'next' }, 'x'), endMarker));
    expect(found.map((token) => token.kind)).toEqual(['header', 'header', 'data', 'padding', 'end']);
  });

  test('is a directory when an old file name ends in a slash', async () => {
    expect(await entryOf(rawHeader({ name: 'old/', typeflag: '\0', format: 'v7' }))).toMatchObject({ type: 'directory', typeflag: '\0' });
    expect(await entryOf(rawHeader({ name: 'new/', typeflag: '0' }))).toMatchObject({ type: 'file' });
  });

  test('of a sparse file says so, and its map belongs to the header', async () => {
    const map = new Uint8Array(512);
    const header = rawHeader({ name: 's', typeflag: 'S', format: 'gnu', size: 3, patch: [[482, Uint8Array.of(1)], [483, Buffer.from('00000010000\0')]] });
    expect(await entryOf(header, map, join(Buffer.from('abc'), new Uint8Array(509)))).toMatchObject({ type: 'file', size: 3, sparse: { realSize: 4096 }, dataOffset: 1024 });
    const records = pax({ 'GNU.sparse.name': 'real', 'GNU.sparse.realsize': '8192', 'GNU.sparse.major': '1' });
    expect(await entryOf(records, rawHeader({ name: 'GNUSparseFile.0/real' }))).toMatchObject({ path: 'real', sparse: { realSize: 8192 } });
  });
});

describe('INVALID_TAR', () => {
  test('comes at exactly the byte where an archive was cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rawEntries, { minLength: 1, maxLength: 4 }), fc.nat(), runLengths, async (parts, seed, lengths) => {
        const whole = join(...parts);
        const cut = seed % whole.length;
        const error = await failure(read(whole.subarray(0, cut), {}, lengths));
        expect(error).toMatchObject({ code: 'INVALID_TAR', details: { offset: cut }, message: expect.stringContaining(`truncated at byte ${cut}:`) });
      }),
    );
  });

  test('tells an archive that was cut between two entries from a whole one', async () => {
    const cut = rawEntry({}, 'body');
    expect(await failure(read(cut))).toMatchObject({ code: 'INVALID_TAR', details: { offset: 1024 } });
    expect(await failure(read(new Uint8Array(0)))).toMatchObject({ code: 'INVALID_TAR', details: { offset: 0 } });
    expect(await read(cut, { requireEnd: false })).toHaveLength(3);
    expect((await read(join(cut, new Uint8Array(512)))).at(-1)?.kind).toBe('end');
    expect(await failure(read(join(cut, new Uint8Array(700))))).toMatchObject({ code: 'INVALID_TAR', details: { offset: 1724 } });
  });

  const next = rawHeader({ name: 'next' });
  test.each<[string, Uint8Array, number]>([
    ['a wrong checksum', rawHeader({ checksum: 'wrong' }), 512],
    ['text', new Uint8Array(512).fill(0x61), 512],
    ['a block of zeros between entries', join(new Uint8Array(512), next), 512],
    ['an extension that nothing follows', join(rawEntry({ typeflag: 'x' }, rawPax({ a: 'b' })), endMarker), 512 + 1024],
    ['a record that claims too much', join(rawEntry({ typeflag: 'x' }, '400 a=b\n'), next), 512 + 512],
    ['a global record that is rubbish', join(rawEntry({ typeflag: 'g' }, 'rubbish'), next), 512 + 512],
    ['a size record that is negative', join(rawEntry({ typeflag: 'x' }, rawPax({ size: '-1' })), next), 512],
    ['a size record of 2^53', join(rawEntry({ typeflag: 'x' }, rawPax({ size: '9007199254740992' })), next), 512],
    ['a size record in hexadecimal', join(rawEntry({ typeflag: 'x' }, rawPax({ size: '0x10' })), next), 512],
    ['a uid record that is text', join(rawEntry({ typeflag: 'x' }, rawPax({ uid: 'root' })), next), 512],
    ['an mtime record with an exponent', join(rawEntry({ typeflag: 'x' }, rawPax({ mtime: '1e9' })), next), 512],
    ['a sparse file of a negative size', rawHeader({ typeflag: 'S', format: 'gnu', patch: [[483, new Uint8Array(12).fill(0xff)]] }), 512 + 483],
  ])('is the answer to %s, with its offset', async (_, bytes, offset) => {
    const input = join(rawHeader({}), bytes, endMarker);
    expect(await failure(read(input))).toMatchObject({ code: 'INVALID_TAR', details: { offset } });
    const raw = (await read(input, { onInvalid: 'raw' })).find((token) => token.kind === 'raw');
    expect(raw).toMatchObject({ offset: 512, error: { code: 'INVALID_TAR' } });
  });
});

describe('LIMIT_EXCEEDED', () => {
  const extension = (fields: RawHeader): Uint8Array => rawHeader({ name: 'bomb', ...fields });
  test.each<[string, Uint8Array]>([
    ['a long name of 8 GiB', extension({ typeflag: 'L', size: 8 ** 11 - 1 })],
    ['PAX records of 2 MiB', extension({ typeflag: 'x', size: 2 ** 21 })],
    ['a PAX header of 2^53-1 bytes', extension({ typeflag: 'x', size: Buffer.from([0x80, 0, 0, 0, 0, 0x1f, 255, 255, 255, 255, 255, 255].slice(0, 12)) })],
    ['endless extensions of no length', join(...Array.from({ length: 3000 }, () => extension({ typeflag: 'x' })))],
    ['an endless sparse map', join(rawHeader({ typeflag: 'S', format: 'gnu', patch: [[482, Uint8Array.of(1)]] }), new Uint8Array(2 ** 21).fill(1))],
  ])('is the answer to %s', async (_, bytes) => {
    expect(await failure(read(bytes))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 2 ** 20 } });
  });

  test('holds for global records that add up', async () => {
    const many = Array.from({ length: 300 }, (_, i) => rawEntry({ typeflag: 'g' }, rawPax({ [`k${i}`]: 'v' })));
    expect(await failure(read(join(...many, endMarker)))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 256 } });
    const large = Array.from({ length: 3 }, (_, i) => rawEntry({ typeflag: 'g' }, rawPax({ [`k${i}`]: new Uint8Array(500_000) })));
    expect(await failure(read(join(...large, endMarker)))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 2 ** 20 } });
  });

  test('can be moved', async () => {
    const archive = join(rawEntry({ typeflag: 'L', format: 'gnu' }, 'n'.repeat(3000)), rawHeader({}), endMarker);
    expect(await failure(read(archive, { headerLimit: 2048 }))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 2048 } });
    expect(await read(archive, { headerLimit: 4096 })).toHaveLength(2);
  });
});

describe('the source of the tokens', () => {
  test('is closed when the reader of the tokens stops', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield rawEntry({}, 'body');
        yield endMarker;
      } finally {
        closed = true;
      }
    }
    for await (const token of tokens(source())) if (token.kind === 'header') break;
    expect(closed).toBe(true);
  });

  test('fails with its own error, also when what is not tar is taken raw', async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield rawHeader({ size: 5000 });
      throw new Error('medium');
    }
    await expect(list(tokens(source(), { onInvalid: 'raw' }))).rejects.toThrow('medium');
  });
});

describe('a reader of tokens', () => {
  const archive = join(rawEntry({ name: 'a' }, 'body'), rawEntry({ name: 'b' }, 'x'.repeat(512)), endMarker, new Uint8Array(10));

  test('gives the same ones, and waits only for bytes that have not arrived', async () => {
    for (const [lengths, waits] of [[[archive.length], 2], [[512], 6]] as const) {
      const reader = new TokenReader(inRuns(archive, lengths));
      const found: TarToken[] = [];
      let waited = 0;
      for (let token = reader.next(); ; token = reader.next()) {
        if (token instanceof Promise) waited += 1;
        const arrived = await token;
        if (arrived === undefined) break;
        found.push(arrived);
      }
      expect(meaning(found)).toEqual(meaning(await read(archive, {}, lengths)));
      expect(waited).toBe(waits);
    }
  });

  test('is over after an error, and after close', async () => {
    const broken = new TokenReader(inRuns(rawHeader({ size: 5000 })));
    expect(await broken.next()).toMatchObject({ kind: 'header' });
    await expect(broken.next()).rejects.toMatchObject({ code: 'INVALID_TAR' });
    expect(broken.next()).toBeUndefined();
    const closed = new TokenReader(inRuns(archive));
    await closed.next();
    await closed.close();
    expect(closed.next()).toBeUndefined();
  });
});

test('the bytes of a header are no view of the run that they came in', async () => {
  const run = Buffer.from(join(rawEntry({ name: 'a' }, 'body'), endMarker));
  const [header] = await list(tokens(inRuns(run)));
  expect(header?.bytes.buffer).not.toBe(run.buffer);
});
