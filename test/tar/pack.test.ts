import { describe, expect, test } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { Packer, pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { tokens } from '../../packages/core/src/tar/tokens.ts';
import { archives, samples } from './arbitrary.ts';
import { failure, gather, inRuns, list } from './streams.ts';
import fc from '../support/fast-check.ts';

const packed = (items: Iterable<PackEntry> | AsyncIterable<PackEntry>): Promise<Uint8Array> => gather(pieceBytes(pack(items)));

/** The fields that `pack` takes, of what was read. */
async function read(archive: Uint8Array): Promise<PackEntry[]> {
  const found: PackEntry[] = [];
  for await (const entry of entries(inRuns(archive))) {
    const { path, type, typeflag, size, mode, uid, gid, mtime, linkname, uname, gname, devmajor, devminor } = entry;
    const pax = new Map([...entry.pax].filter(([keyword]) => /^(SCHILY|X|comment)/.test(keyword)));
    const data = await gather(entry.data);
    found.push({ path, type, typeflag, size, mode, uid, gid, mtime, linkname, uname, gname, devmajor, devminor, pax, data });
  }
  return found;
}

describe('pack', () => {
  test('writes what reads back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(samples, { maxLength: 6 }), async (items) => {
        expect(await read(await packed(items))).toEqual(items);
      }),
    );
  });

  test('writes equal bytes for equal entries, with 1024 zeros at the end and whole blocks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(samples, { maxLength: 4 }), async (items) => {
        const archive = await packed(items);
        expect(Buffer.compare(await packed(items), archive)).toBe(0);
        expect(archive.length % 512).toBe(0);
        expect(archive.subarray(-1024).every((byte) => byte === 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('takes the entries of an archive as they are read, and means the same by them', async () => {
    await fc.assert(
      fc.asyncProperty(archives, async (archive) => {
        const copyable = async function* (): AsyncGenerator<PackEntry> {
          for await (const entry of entries(inRuns(archive))) if (entry.typeflag !== 'S') yield entry;
        };
        const before = (await list(entries(inRuns(archive)))).filter((entry) => entry.typeflag !== 'S');
        const after = await list(entries(inRuns(await packed(copyable()))));
        const told = ({ path, type, size, mode, uid, gid, mtime, linkname, uname, gname }: PackEntry): unknown[] => [path, type, size, mode, uid, gid, mtime, linkname, uname, gname];
        expect(after.map(told)).toEqual(before.map(told));
      }),
    );
  });

  test('keeps names that are not UTF-8', async () => {
    const pathBytes = Uint8Array.of(0x61, 0xff, 0x62);
    const [entry] = await list(entries(inRuns(await packed([{ path: 'a\ufffdb', pathBytes, type: 'file' }]))));
    expect(entry?.pathBytes).toEqual(pathBytes);
  });

  test('gives a sparse file that was renamed its new name', async () => {
    const pax = new Map([['GNU.sparse.name', Buffer.from('old')], ['GNU.sparse.realsize', Buffer.from('9')]]);
    expect(await list(entries(inRuns(await packed([{ path: 'new', type: 'file', pax }]))))).toMatchObject([{ path: 'new', sparse: { realSize: 9 } }]);
  });

  test('names its pieces, and they are the tokens of what it writes', async () => {
    const pieces = await list(pack([{ path: 'a', type: 'file', size: 3, data: Buffer.from('abc') }, { path: 'd/', type: 'directory' }]));
    expect(pieces.map((piece) => [piece.kind, piece.bytes.length])).toEqual([
      ['header', 512], ['data', 3], ['padding', 509], ['header', 512], ['padding', 512], ['padding', 512], ['end', 0],
    ]);
    expect(pieces.map((piece) => (piece.kind === 'padding' ? piece.index : piece.kind === 'header' ? piece.path : ''))).toEqual(['a', '', undefined, 'd/', 0, 1, '']);
    const archive = await gather(pieces.map((piece) => piece.bytes));
    expect((await list(tokens(inRuns(archive)))).map((token) => token.kind)).toEqual(['header', 'data', 'padding', 'header', 'end']);
  });

  test('goes through its stages one piece at a time, and works only when it is asked', async () => {
    let opened = 0;
    const data = async function* (): AsyncGenerator<Uint8Array> {
      opened++;
      yield Buffer.from('ab');
      yield new Uint8Array(0);
      yield Buffer.from('c');
    };
    const packer = new Packer([{ path: 'a', type: 'file', size: 3, data: data() }]);
    const seen: string[] = [packer.stage];
    const steps = async (): Promise<string | undefined> => (await packer.next())?.kind;
    expect([await steps(), opened]).toEqual(['header', 0]);
    for (let kind: string | undefined = packer.stage; kind !== undefined; kind = await steps()) seen.push(`${kind} > ${packer.stage}`);
    expect(seen).toEqual(['open', 'read > read', 'data > read', 'data > read', 'padding > open', 'padding > padding', 'padding > end', 'end > end']);
    expect(await packer.next()).toBeUndefined();
  });

  test('closes what is open when its reader stops and when a body fails', async () => {
    const closed: string[] = [];
    const items = async function* (fail: boolean): AsyncGenerator<PackEntry> {
      const data = async function* (): AsyncGenerator<Uint8Array> {
        try {
          yield Buffer.from('a');
          if (fail) throw new Error('medium');
          yield Buffer.from('b');
        } finally {
          closed.push('body');
        }
      };
      try {
        yield { path: 'a', type: 'file', size: 2, data: data() };
        yield { path: 'b', type: 'file' };
      } finally {
        closed.push('entries');
      }
    };
    for await (const piece of pack(items(false))) if (piece.kind === 'data') break;
    expect(closed.splice(0)).toEqual(['body', 'entries']);
    await expect(list(pack(items(true)))).rejects.toThrow('medium');
    expect(closed).toEqual(['body', 'entries']);
  });

  test('leaves the body of a hardlink out, which most readers would take for the next header', async () => {
    const hard: PackEntry = { path: 'b', type: 'hardlink', linkname: 'a', size: 3, data: Buffer.from('abc') };
    expect(await list(entries(inRuns(await packed([hard, { path: 'c', type: 'file' }]))))).toMatchObject([{ path: 'b', size: 0 }, { path: 'c' }]);
  });

  test('refuses a body that is longer or shorter than its entry says', async () => {
    for (const n of [0, 2, 4, 5000]) {
      const body = inRuns(new Uint8Array(n), [2]);
      expect(await failure(packed([{ path: 'a', type: 'file', size: 3, data: body }])), String(n)).toMatchObject({
        code: 'SIZE_MISMATCH',
        details: { subject: 'a', expected: 3, actual: Math.min(n, 4) },
      });
    }
  });

  test('closes a body and the entries when its reader stops', async () => {
    const closed: string[] = [];
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(1000);
      } finally {
        closed.push('body');
      }
    }
    function* items(): Generator<PackEntry> {
      try {
        yield { path: 'a', type: 'file', size: 1e9, data: body() };
      } finally {
        closed.push('entries');
      }
    }
    for await (const run of pieceBytes(pack(items()))) if (run.length > 0) break;
    expect(closed).toEqual(['body', 'entries']);
  });

  test('streams a body of more than 8 GiB: the header is written before the first byte of it is asked for', async () => {
    const pieces = pack([{ path: 'huge', type: 'file', size: 9 * 2 ** 30, data: (async function* (): AsyncGenerator<Uint8Array> { yield new Uint8Array(65536); })() }]);
    const header = await pieces.next();
    const stream = tokens(inRuns(header.value?.bytes ?? new Uint8Array(0)));
    expect((await stream.next()).value).toMatchObject({ entry: { path: 'huge', size: 9 * 2 ** 30 } });
    await stream.return();
    await pieces.return();
  });
});

describe('pieceBytes', () => {
  test('joins small pieces into runs of 64 KiB and more, and loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.nat(2000), fc.nat(200_000)), { maxLength: 40 }), async (lengths) => {
        const pieces = lengths.map((n, i) => ({ bytes: new Uint8Array(n).fill(i + 1) }));
        const runs = await list(pieceBytes(pieces));
        expect(runs.slice(0, -1).every((run) => run.length >= 65536)).toBe(true);
        expect(Buffer.compare(Buffer.concat(runs), Buffer.concat(pieces.map((piece) => piece.bytes)))).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  test('does not copy large pieces', async () => {
    const large = new Uint8Array(300_000);
    expect((await list(pieceBytes([{ bytes: large }])))[0]?.buffer).toBe(large.buffer);
  });
});
