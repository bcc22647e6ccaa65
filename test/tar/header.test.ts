import { describe, expect, test } from 'vitest';
import { encodeHeader } from '../../packages/core/src/tar/encode.ts';
import { decodeHeader } from '../../packages/core/src/tar/header.ts';
import { formatTime, parseNumber, parseTime } from '../../packages/core/src/tar/number.ts';
import { rawHeader } from './raw.ts';
import type { RawHeader } from './raw.ts';
import { failure } from './streams.ts';
import fc from '../support/fast-check.ts';

const decode = (fields: RawHeader): ReturnType<typeof decodeHeader> => decodeHeader(rawHeader(fields), 4096);
const base256 = (value: bigint, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let i = length - 1, left = BigInt.asUintN(length * 8, value); i >= 0; i--, left >>= 8n) bytes[i] = Number(left & 0xffn);
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
};

describe('decodeHeader', () => {
  test('tells the formats apart and takes from each only the fields that it has', () => {
    const fields = { name: 'n', uname: 'u', gname: 'g', prefix: 'p' } as const;
    expect(decode({ ...fields, format: 'ustar' })).toMatchObject({ format: 'ustar', path: 'p/n', uname: 'u', gname: 'g' });
    expect(decode({ ...fields, format: 'star' })).toMatchObject({ format: 'star', path: 'p/n' });
    expect(decode({ ...fields, format: 'v7' })).toMatchObject({ format: 'v7', path: 'n', uname: '', gname: '' });
    const times: RawHeader['patch'] = [[345, Buffer.from('14000000000\x0014000000000\0')]];
    expect(decode({ name: 'n', uname: 'u', format: 'gnu', patch: times })).toMatchObject({ format: 'gnu', path: 'n', uname: 'u' });
  });

  test('takes a prefix in a GNU header, as Go wrote before 1.8, where GNU would have its times', () => {
    expect(decode({ name: 'n', prefix: 'usr/share', format: 'gnu' }).path).toBe('usr/share/n');
  });

  test('reads numbers in octal between spaces and NULs, and empty ones as 0', () => {
    for (const [text, value] of [['0000644\0', 0o644], ['   644 \0', 0o644], ['644\0\0\0\0\0', 0o644], ['\0\0 644 \0', 0o644], ['\0\0\0\0\0\0\0\0', 0], ['77777777', 0o77777777]] as const) {
      expect(decode({ mode: Buffer.from(text) }).mode, JSON.stringify(text)).toBe(value);
    }
  });

  test('reads base-256 numbers of both signs', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(parseNumber(base256(BigInt(value), 12), 0, 12)).toBe(value);
      }),
    );
    expect(decode({ size: base256(2n ** 53n - 1n, 12) }).size).toBe(2 ** 53 - 1);
    expect(decode({ mtime: base256(-1n, 12) }).mtime).toBe(-1);
  });

  test('accepts checksums of unsigned and of signed bytes, and no other', async () => {
    const name = Uint8Array.of(0xe4, 0xf6);
    expect(decode({ name }).pathBytes).toEqual(name);
    expect(decode({ name, checksum: 'signed' }).pathBytes).toEqual(name);
    expect(await failure(() => decode({ name, checksum: 'wrong' }))).toMatchObject({ code: 'INVALID_TAR', details: { offset: 4096 } });
  });

  test('keeps names that are not UTF-8 as bytes, and a byte order mark as part of the name', () => {
    expect(decode({ name: Uint8Array.of(0x61, 0xff) })).toMatchObject({ path: 'a\ufffd', pathBytes: Uint8Array.of(0x61, 0xff) });
    expect(decode({ name: '\ufeffname' }).path).toBe('\ufeffname');
  });

  test.each<[string, RawHeader, number]>([
    ['a size that starts 0x81', { size: Uint8Array.of(0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }, 124],
    ['a size of 0xff throughout', { size: new Uint8Array(12).fill(0xff) }, 124],
    ['a size of -512', { size: base256(-512n, 12) }, 124],
    ['a size of 2^53', { size: base256(2n ** 53n, 12) }, 124],
    ['a size of the most negative number', { size: Uint8Array.of(0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }, 124],
    ['a size with a sign', { size: Buffer.from('-0000000001\0') }, 124],
    ['a size in hexadecimal', { size: Buffer.from('0000000001f\0') }, 124],
    ['a negative uid', { uid: base256(-2n, 8) }, 108],
    ['a gid with an 8', { gid: Buffer.from('0000008\0') }, 116],
    ['an mtime that is text', { mtime: Buffer.from('yesterday\0') }, 136],
    ['a device number that is text', { typeflag: '3', devmajor: Buffer.from('major\0') }, 329],
  ])('refuses %s, with the place of the field', async (_, fields, at) => {
    expect(await failure(() => decode(fields))).toMatchObject({ code: 'INVALID_TAR', details: { offset: 4096 + at } });
  });

  test('ignores what stands in the device fields of what is no device', () => {
    expect(decode({ devmajor: Buffer.from('rubbish!') })).toMatchObject({ devmajor: 0, devminor: 0 });
  });

  test('answers any 512 bytes with a header or INVALID_TAR', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (block) => {
        const header = rawHeader({ patch: [[0, block]] });
        try {
          expect(decodeHeader(header).size).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_TAR' });
        }
      }),
    );
  });
});

describe('encodeHeader', () => {
  const plain = { path: 'file', type: 'file' } as const;

  test('writes one block where ustar has room, with the bytes that POSIX asks for', () => {
    const expected = rawHeader({ name: 'etc/shadow', mode: 0, uid: 2097151, gid: 42, size: 8 ** 11 - 1, mtime: 8 ** 11 - 1, uname: 'root', gname: 'shadow' });
    const fields = { path: 'etc/shadow', type: 'file', mode: 0, uid: 2097151, gid: 42, size: 8 ** 11 - 1, mtime: 8 ** 11 - 1, uname: 'root', gname: 'shadow' } as const;
    expect(Buffer.from(encodeHeader(fields)).equals(expected)).toBe(true);
  });

  test('divides a long ASCII path between prefix and name', () => {
    const path = `${'d'.repeat(155)}/${'n'.repeat(100)}`;
    const block = encodeHeader({ ...plain, path });
    expect(block.length).toBe(512);
    expect(decodeHeader(block).path).toBe(path);
  });

  test.each([
    ['a size of 8 GiB', { size: 8 ** 11 }, 'size=8589934592\n'],
    ['a uid of seven octal digits and one', { uid: 2097152 }, 'uid=2097152\n'],
    ['a gid as OpenShift gives', { gid: 1000650000 }, 'gid=1000650000\n'],
    ['a time before 1970', { mtime: -1 }, 'mtime=-1\n'],
    ['a time after 2242', { mtime: 8 ** 11 }, 'mtime=8589934592\n'],
    ['a fraction of a second', { mtime: 1.5 }, 'mtime=1.5\n'],
    ['a path that is not ASCII', { path: 'ä' }, 'path=ä\n'],
    ['a path of 101 bytes in one part', { path: 'p'.repeat(101) }, `path=${'p'.repeat(101)}\n`],
    ['a long link', { type: 'symlink', linkname: 'l'.repeat(101) } as const, `linkpath=${'l'.repeat(101)}\n`],
    ['a user name that is not ASCII', { uname: 'jürgen' }, 'uname=jürgen\n'],
  ])('puts %s into a PAX record', (_, fields, record) => {
    const bytes = encodeHeader({ ...plain, ...fields });
    expect(decodeHeader(bytes.subarray(0, 512)).typeflag).toBe('x');
    expect(Buffer.from(bytes.subarray(512, -512)).toString()).toContain(` ${record}`);
    expect(bytes.length % 512).toBe(0);
  });

  test('keeps all digits of a time that was read from a record, while it is the same time', () => {
    const pax = new Map([['mtime', Buffer.from('1700000000.123456789')]]);
    const body = (mtime: number): string => Buffer.from(encodeHeader({ ...plain, mtime, pax })).toString('latin1');
    expect(body(Number('1700000000.123456789'))).toContain('mtime=1700000000.123456789\n');
    expect(body(1700000000.5)).toContain('mtime=1700000000.5\n');
  });

  test.each([
    ['no name', { path: '' }],
    ['a NUL in its name', { path: 'a\0b' }],
    ['a NUL in a long name', { path: `${'a'.repeat(200)}\0b` }],
    ['a negative size', { size: -1 }],
    ['half a byte', { size: 0.5 }],
    ['a mode of 22 bits', { mode: 0o10000000 }],
    ['a negative uid', { uid: -1 }],
    ['no time', { mtime: Number.NaN }],
    ['a device number of 22 bits', { devmajor: 0o10000000 }],
    ['a body in a directory', { type: 'directory', size: 1 } as const],
    ['a type that has a name of its own', { type: 'other', typeflag: '5' } as const],
    ['no type', { type: 'other' } as const],
    ['a sparse map that is not there', { typeflag: 'S' }],
    ['a keyword with an equals sign', { pax: new Map([['a=b', new Uint8Array(0)]]) }],
  ])('refuses an entry with %s', async (_, fields) => {
    expect(await failure(() => encodeHeader({ ...plain, ...fields }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

test('times are written to the nanosecond and read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 33), max: 2 ** 33 }), fc.nat(999_999), (seconds, micros) => {
      const time = (seconds * 1e6 + micros) / 1e6;
      expect(parseTime(formatTime(time))).toBe(time);
    }),
  );
  expect(formatTime(1e21)).toBe('1000000000000000000000');
  for (const text of ['', '.5', '1e3', ' 1', '1 ', '+1', '0x1', '9'.repeat(17), 'Infinity']) expect(parseTime(text), text).toBeUndefined();
});
