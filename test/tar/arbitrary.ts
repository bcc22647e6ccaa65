import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from './raw.ts';
import fc from '../support/fast-check.ts';

/** An entry as it goes into `pack` and should come out of `entries`. */
export interface Sample extends PackEntry {
  readonly size: number;
  readonly mode: number;
  readonly data: Uint8Array;
}

const part = fc.stringMatching(/^[a-zA-Z0-9._ -]{1,60}$/);
const asciiPath = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
const anyPath = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }).filter(isName);
/** Short, long, over and under the 100 and 255 bytes of ustar, beyond ASCII. */
export const paths = fc.oneof(asciiPath, anyPath, fc.nat(300).map((n) => `dir/${'n'.repeat(n)}`));
const names = fc.oneof(fc.constant(''), fc.stringMatching(/^[a-z_][a-z0-9_-]{0,40}$/), anyPath);

function isName(text: string): boolean {
  return text.length > 0 && !text.includes('\0') && !/\p{Cs}/u.test(text);
}

const ids = fc.oneof(fc.constant(0), fc.nat(0o7777777), fc.constantFrom(2097151, 2097152, 1000650000, 2 ** 32 - 2), fc.maxSafeNat());
const times = fc.oneof(
  fc.constantFrom(0, -1, -315619200, 2208988800, 8 ** 11 - 1, 8 ** 11, -(2 ** 40)),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 }).map((n) => n / 1000),
);
const records = fc.dictionary(
  fc.stringMatching(/^(SCHILY\.xattr\.user\.|comment|X\.)[a-z]{1,8}$/),
  fc.uint8Array({ maxLength: 200 }),
  { maxKeys: 3 },
);

export const samples: fc.Arbitrary<Sample> = fc
  .record({
    path: paths,
    type: fc.constantFrom('file', 'file', 'file', 'directory', 'symlink', 'hardlink', 'fifo', 'character-device', 'block-device', 'other'),
    body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.nat(3000).map((n) => new Uint8Array(n).fill(n)), fc.constantFrom(512, 1024).map((n) => new Uint8Array(n))),
    mode: fc.oneof(fc.constant(0), fc.nat(0o7777)),
    uid: ids,
    gid: ids,
    mtime: times,
    linkname: paths,
    uname: names,
    gname: names,
    devmajor: fc.nat(0o7777777),
    devminor: fc.nat(0o7777777),
    pax: records,
  })
  .map(({ body, linkname, devmajor, devminor, pax, type, ...rest }): Sample => {
    const data = type === 'file' || type === 'other' ? body : new Uint8Array(0);
    const link = type === 'symlink' || type === 'hardlink';
    const device = type === 'character-device' || type === 'block-device';
    return {
      ...rest,
      type,
      typeflag: { file: '0', hardlink: '1', symlink: '2', 'character-device': '3', 'block-device': '4', directory: '5', fifo: '6', other: 'V' }[type],
      size: data.length,
      data,
      linkname: link ? linkname : '',
      devmajor: device ? devmajor : 0,
      devminor: device ? devminor : 0,
      pax: new Map(Object.entries(pax)),
    };
  });

const small = fc.uint8Array({ maxLength: 1500 });
const shortName = fc.stringMatching(/^[a-z]{1,20}$/);

/** Pieces of archives of every format, made by hand. */
export const rawEntries: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.record({ name: shortName, format: fc.constantFrom('v7', 'ustar', 'gnu', 'star'), body: small }).map(({ body, ...fields }) => rawEntry(fields, body)),
  fc.record({ name: shortName, prefix: shortName, body: small }).map(({ body, ...fields }) => rawEntry(fields, body)),
  fc.record({ name: shortName, long: fc.nat(2000), body: small }).map(({ name, long, body }) =>
    join(
      rawEntry({ name: '././@LongLink', typeflag: 'L', format: 'gnu' }, `${name}/${'l'.repeat(long)}\0`),
      rawEntry({ name: '././@LongLink', typeflag: 'K', format: 'gnu' }, `${'k'.repeat(long)}\0`),
      rawEntry({ name, format: 'gnu' }, body),
    ),
  ),
  fc.record({ name: shortName, value: small, body: small }).map(({ name, value, body }) =>
    join(
      rawEntry({ name: 'x', typeflag: 'x' }, rawPax({ 'SCHILY.xattr.user.x': value, size: String(body.length), uid: '1000650000' })),
      // The header's own size lies; the record stands.
      rawHeader({ name, size: 7 }),
      body,
      new Uint8Array((512 - (body.length % 512)) % 512),
    ),
  ),
  fc.record({ comment: shortName }).map(({ comment }) => rawEntry({ name: 'g', typeflag: 'g' }, rawPax({ comment, uname: comment }))),
  fc.constantFrom('1', '2', '5').map((typeflag) => rawHeader({ name: 'link', typeflag, linkname: 'to', size: 1234 })),
  fc.record({ blocks: fc.nat(3), body: small }).map(({ blocks, body }) => {
    const map = Array.from({ length: blocks }, (_, i) => {
      const block = new Uint8Array(512);
      block[504] = i + 1 < blocks ? 1 : 0;
      return block;
    });
    const header = rawHeader({ name: 'sparse', typeflag: 'S', format: 'gnu', size: body.length, patch: [[482, Uint8Array.of(blocks > 0 ? 1 : 0)], [483, Buffer.from('00000040000\0')]] });
    return join(header, ...map, body, new Uint8Array((512 - (body.length % 512)) % 512));
  }),
  // A vendor's type, with a body that is not zeros up to its block.
  fc.uint8Array({ minLength: 512, maxLength: 512 }).map((body) => join(rawHeader({ name: 'vendor', typeflag: 'Q', size: 300 }), body)),
);

/** Whole archives with an end marker. */
export const archives: fc.Arbitrary<Uint8Array> = fc.array(rawEntries, { maxLength: 8 }).map((parts) => join(...parts, endMarker));

/** Lengths of runs to cut a stream into. */
export const runLengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(511, 512, 513, 4096, 65536)), {
  minLength: 1,
  maxLength: 6,
});
