import { appendFileSync, chmodSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { packFiles, packTree, pieceBytes } from '@oci-tar/core';
import type { PackOptions, PackSource, TarPiece } from '@oci-tar/core';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { xattrs } from '../../packages/core/src/tar/xattr.ts';
import { failure, gather, inRuns, list } from '../tar/streams.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'oci-tar-pack-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const at = (path: string): string => join(home, path);
const write = (path: string, body = path): void => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), body);
};
const read = async (sources: readonly (string | PackSource)[], options: PackOptions = {}): Promise<[path: string, body: string][]> => {
  const found: [string, string][] = [];
  for await (const entry of entries(inRuns(await gather(pieceBytes(packFiles(sources, options)))))) {
    found.push([entry.path, entry.type === 'hardlink' ? `= ${entry.linkname}` : Buffer.from(await gather(entry.data)).toString()]);
  }
  return found;
};

describe('packTree', () => {
  it('gives header, data and padding of each file, one by one, and the two blocks that end the archive by their index', async () => {
    write('t/a', 'x'.repeat(1300));
    write('t/b', '');
    const told = (piece: TarPiece): string => `${piece.kind} ${piece.kind === 'header' ? piece.path : piece.kind === 'padding' ? (piece.index ?? '') : ''} ${piece.bytes.length}`;
    expect((await list(packTree(at('t'), { bufferSize: 1000 }))).map(told)).toEqual([
      'header a 512', 'data  512', 'data  512', 'data  276', 'padding  236', 'header b 512', 'padding 0 512', 'padding 1 512', 'end  0',
    ]);
  });

  it.each([[1, 512], [512, 512], [1023, 512], [1024, 1024], [100_000, 99_840]])('reads files in runs of %i bytes, rounded to %i', async (bufferSize, run) => {
    for (const size of [50_000, 300_000]) {
      write('t/file', 'x'.repeat(size));
      const runs = (await list(packTree(at('t'), { bufferSize }))).filter((piece) => piece.kind === 'data').map((piece) => piece.bytes.length);
      expect(runs.slice(0, -1).every((length) => length === run)).toBe(true);
      expect(runs.reduce((sum, length) => sum + length, 0)).toBe(size);
    }
  });

  it('opens no file before its header was pulled, and reads no further than it is asked to', async () => {
    write('t/a', 'a');
    write('t/b', 'b');
    const pieces = packTree(at('t'));
    expect((await pieces.next()).value).toMatchObject({ kind: 'header', path: 'a' });
    rmSync(at('t/b'));
    await expect(list(pieces)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it.each([['small', 1000], ['large', 300_000]])('fails when a %s file grows or shrinks after its header went out', async (_, size) => {
    for (const change of [() => appendFileSync(at('t/file'), '+'), () => truncateSync(at('t/file'), size - 1)]) {
      write('t/file', 'x'.repeat(size));
      const pieces = packTree(at('t'), { bufferSize: 100_000 });
      await pieces.next();
      change();
      expect(await failure(list(pieces))).toMatchObject({ code: 'SIZE_MISMATCH', details: { subject: 'file', expected: size } });
    }
  });

  // Without reading ahead: from memory, and as if every read took a second, so that the rest of a file is read ahead after all.
  describe.each([['ahead', true, false], ['from memory', false, false], ['from a slow disk', false, true]])('reading %s', (_, readAhead, slow) => {
    const options = { bufferSize: 65_536, readAhead };
    const body = (size: number) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251));

    beforeEach(() => {
      let now = 0;
      if (slow) vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
    });
    afterEach(() => vi.restoreAllMocks());

    it('gives the same bytes', async () => {
      mkdirSync(at('t'));
      for (const size of [65_537, 262_144, 1_000_001]) {
        writeFileSync(at('t/file'), body(size));
        const runs = (await list(packTree(at('t'), options))).filter((piece) => piece.kind === 'data').map((piece) => piece.bytes);
        expect(runs.length).toBe(Math.ceil(size / 65_536));
        expect(Buffer.compare(Buffer.concat(runs), body(size))).toBe(0);
      }
    });

    it('fails when a file grows or shrinks while it is read', async () => {
      for (const [change, actual] of [[() => appendFileSync(at('t/file'), '+'), 1_000_001], [() => truncateSync(at('t/file'), 300_000), 300_000]] as const) {
        write('t/file', 'x'.repeat(1_000_000));
        const pieces = packTree(at('t'), options);
        for (const kind of ['header', 'data', 'data']) expect((await pieces.next()).value?.kind).toBe(kind);
        change();
        expect(await failure(list(pieces))).toMatchObject({ code: 'SIZE_MISMATCH', details: { subject: 'file', expected: 1_000_000, actual } });
      }
    });

    it.runIf(process.platform === 'linux')('leaves no file open that is left in the middle', async () => {
      write('t/file', 'x'.repeat(1_000_000));
      const open = () => readdirSync('/proc/self/fd').length;
      const before = open();
      for (let i = 0; i < 20; i++) for await (const piece of packTree(at('t'), options)) if (piece.kind === 'data') break;
      expect(open()).toBeLessThan(before + 10);
    });
  });

  it('gives the same bytes whoever made the files, when and in what order, if it is told owners and times', async () => {
    const packed = async (names: readonly string[], time: number): Promise<Uint8Array> => {
      rmSync(at('t'), { recursive: true, force: true });
      for (const name of names) {
        write(`t/${name}`, name);
        utimesSync(at(`t/${name}`), time, time);
      }
      return gather(pieceBytes(packTree(at('t'), { uid: 0, gid: 0, mtime: 1 })));
    };
    expect(Buffer.compare(await packed(['a', 'b/c', 'b-'], 1_000_000), await packed(['b-', 'b/c', 'a'], 2_000_000))).toBe(0);
  });

  it('takes extended attributes from whoever can read them, once for a file of several names', async () => {
    write('t/a', 'a');
    linkSync(at('t/a'), at('t/b'));
    mkdirSync(at('t/d'));
    const asked: string[] = [];
    const value = Uint8Array.of(0, 0xff);
    const archive = await gather(pieceBytes(packTree(at('t'), {
      xattrs: async (path) => {
        asked.push(path.slice(home.length));
        return new Map(path.endsWith('d/') ? [] : [['user.x', value]]);
      },
    })));
    expect(asked).toEqual(['/t/a', '/t/d/']);
    expect((await list(entries(inRuns(archive)))).map((entry) => [entry.path, xattrs(entry)])).toEqual([['a', new Map([['user.x', value]])], ['b', new Map()], ['d/', new Map()]]);
  });

  it('is a body of a request as it is', async () => {
    for (let i = 0; i < 50; i++) write(`t/${i}`, 'x'.repeat(i * 1000));
    const parts: Buffer[] = [];
    const server = createServer((incoming, answer) => {
      incoming.on('data', (part: Buffer) => parts.push(part)).on('end', () => answer.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const outgoing = request({ port, host: '127.0.0.1', method: 'PUT' });
      const answered = new Promise((resolve, reject) => outgoing.on('response', (answer) => answer.resume().on('end', resolve)).on('error', reject));
      await pipeline(Readable.from(pieceBytes(packTree(at('t')))), outgoing);
      await answered;
    } finally {
      server.close();
    }
    expect(Buffer.compare(Buffer.concat(parts), await gather(pieceBytes(packTree(at('t')))))).toBe(0);
  });
});

describe('packFiles', () => {
  it('puts what is in a directory at the top, and a file under its own name', async () => {
    write('one/a/b', 'ab');
    write('file', 'f');
    expect(await read([at('one'), at('file')])).toEqual([['a/', ''], ['a/b', 'ab'], ['file', 'f']]);
  });

  it('gives directories and files the names that they are to have', async () => {
    write('one/a', 'a');
    write('file', 'f');
    expect(await read([{ path: at('one'), name: 'srv/www' }, { path: at('file'), name: 'etc/conf' }])).toEqual([['srv/www/', ''], ['srv/www/a', 'a'], ['etc/conf', 'f']]);
  });

  it('merges the directories of several sources, the first one with its attributes', async () => {
    write('one/d/a', '1');
    write('two/d/b', '2');
    chmodSync(at('one/d'), 0o700);
    const archive = await gather(pieceBytes(packFiles([at('one'), at('two')])));
    expect((await list(entries(inRuns(archive)))).map(({ path, mode }) => [path, mode & 0o70])).toEqual([['d/', 0], ['d/a', 0o40], ['d/b', 0o40]]);
    const told: string[] = [];
    await read([at('one'), at('two')], { onEntry: ({ path }) => told.push(path) });
    expect(told).toEqual(['d/', 'd/a', 'd/b']);
  });

  it('finds hardlinks between sources', async () => {
    write('one/a', 'a');
    mkdirSync(at('two'));
    linkSync(at('one/a'), at('two/b'));
    expect(await read([at('one'), { path: at('two'), name: 'two' }])).toEqual([['a', 'a'], ['two/', ''], ['two/b', '= a']]);
  });

  it('takes a symlink that is named for what it is', async () => {
    symlinkSync('nowhere', at('link'));
    const [entry] = await list(entries(inRuns(await gather(pieceBytes(packFiles([at('link')]))))));
    expect(entry).toMatchObject({ path: 'link', type: 'symlink', linkname: 'nowhere' });
  });

  it.each<[string, readonly string[]]>([['two files', ['a', 'a']], ['a file and a directory', ['a', 'a/b']], ['a directory and a file', ['a/b', 'a']]])(
    'refuses %s of one name',
    async (_, [first = '', second = '']) => {
      write(`one/${first}`, '1');
      write(`two/${second}`, '2');
      expect(await failure(read([at('one'), at('two')]))).toMatchObject({ code: 'CONFLICT', details: { hint: expect.any(String) as unknown } });
    },
  );

  it('refuses what is not there, and names that lead elsewhere', async () => {
    write('file', 'f');
    expect(await failure(read([at('none')]))).toMatchObject({ code: 'NOT_FOUND' });
    for (const name of ['/abs', '../up', 'a/../b', 'a//b', '.', 'a/./b', 'n\0ul', '']) {
      expect(await failure(read([{ path: at('file'), name }])), name).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('stops at the signal, in the middle of a file too', async () => {
    write('t/file', 'x'.repeat(1_000_000));
    const stop = new AbortController();
    const reason = new Error('enough');
    const reading = async (): Promise<void> => {
      for await (const piece of packFiles([at('t')], { signal: stop.signal, bufferSize: 100_000 })) if (piece.kind === 'data') stop.abort(reason);
    };
    expect(await failure(reading())).toBe(reason);
  });
});
