import { expect, test } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import { xattrRecords, xattrs } from '../../packages/core/src/tar/xattr.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from './raw.ts';
import { gather, inRuns, list } from './streams.ts';
import fc from '../support/fast-check.ts';

const found = async (...parts: Uint8Array[]): Promise<ReadonlyMap<string, Uint8Array>> => {
  const [entry] = await list(entries(inRuns(join(...parts, endMarker))));
  if (entry === undefined) throw new Error('no entry');
  return xattrs(entry);
};
const pax = (records: Record<string, string | Uint8Array>, typeflag = 'x'): Uint8Array => rawEntry({ name: 'p', typeflag }, rawPax(records));

test('extended attributes come back as they were, whatever their bytes and however they are named', async () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/[\0\p{Cs}]/u.test(text));
  const maps = fc.dictionary(fc.oneof(fc.constantFrom('security.capability', 'user.a=b', 'user.%3D', 'user.100%'), name), fc.uint8Array({ maxLength: 300 }), { maxKeys: 5 });
  await fc.assert(
    fc.asyncProperty(maps, async (attributes) => {
      const expected = new Map(Object.entries(attributes));
      const archive = await gather(pieceBytes(pack([{ path: 'f', type: 'file', pax: xattrRecords(expected) }])));
      const [entry] = await list(entries(inRuns(archive)));
      expect(entry && xattrs(entry)).toEqual(expected);
    }),
  );
});

test("libarchive's records are read where there are no others, and what is no base64 is passed over", async () => {
  const value = Uint8Array.of(0, 0x80, 0xff);
  expect(await found(pax({ 'LIBARCHIVE.xattr.user.a%20b': Buffer.from(value).toString('base64').replace(/=+$/, '') }), rawHeader({}))).toEqual(new Map([['user.a b', value]]));
  expect(await found(pax({ 'LIBARCHIVE.xattr.user.x': 'AAAA', 'SCHILY.xattr.user.x': value }), rawHeader({}))).toEqual(new Map([['user.x', value]]));
  expect(await found(pax({ 'LIBARCHIVE.xattr.user.x': '*' }), rawHeader({}))).toEqual(new Map());
});

test("an entry's own attributes stand over global ones", async () => {
  const [own, all] = [Buffer.from('own'), Buffer.from('all')];
  const both = await found(pax({ 'SCHILY.xattr.user.x': all, 'SCHILY.xattr.user.y': all }, 'g'), pax({ 'SCHILY.xattr.user.x': own }), rawHeader({}));
  expect([...both].map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([['user.x', 'own'], ['user.y', 'all']]);
});
