import { beforeAll, describe, expect, it } from 'vitest';
import { archive, flipped, imagePieces, tar, text } from './archives.ts';
import type { Entry } from './archives.ts';
import { refused, taken, ways } from './attempt.ts';

const pieces = await imagePieces();
const order = Object.values(pieces);
const clean = tar(order);

/** Every kind of entry that is no plain file, under the name of something that matters: the codes as a layer and as a document. */
const kinds = [
  ['a symbolic link', { typeflag: '2', linkname: '/etc/passwd' }, 'UNSAFE_PATH', 'UNSAFE_PATH'],
  ['a hard link', { typeflag: '1', linkname: 'index.json' }, 'SIZE_MISMATCH', 'INVALID_LAYOUT'],
  ['a character device', { typeflag: '3', devmajor: 1, devminor: 5 }, 'NOT_FOUND', 'INVALID_LAYOUT'],
  ['a block device', { typeflag: '4', devmajor: 8 }, 'NOT_FOUND', 'INVALID_LAYOUT'],
  ['a FIFO', { typeflag: '6' }, 'NOT_FOUND', 'INVALID_LAYOUT'],
  ['a directory', { typeflag: '5' }, 'NOT_FOUND', 'INVALID_LAYOUT'],
] as const;

describe.each(ways)('an archive with strange entries, by %s', (way) => {
  let store: ReadonlyMap<string, string>;

  beforeAll(async () => {
    store = await taken(way, clean);
  });

  it.each(kinds)('does not take %s for the layer whose name it has', async (_what, header, code) => {
    const layer: Entry = { name: pieces.layer.name, body: new Uint8Array(), header };
    await refused(way, archive({ ...pieces, layer }), code);
  });

  it.each(kinds)('does not take %s for index.json or oci-layout', async (_what, header, _layer, code) => {
    for (const piece of ['index', 'layout'] as const) {
      const entry: Entry = { name: pieces[piece].name, body: new Uint8Array(), header };
      await refused(way, archive({ ...pieces, [piece]: entry }), code);
    }
  });

  it.each(kinds)('passes over %s beside the real thing', async (_what, header) => {
    const strange = [pieces.layer.name, 'index.json', 'elsewhere', '../outside'].map((name): Entry => ({ name, body: new Uint8Array(), header }));
    expect(await taken(way, tar([...strange, ...order, ...strange]))).toEqual(store);
  });

  it.each(['/etc/cron.d/x', '../../etc/cron.d/x', 'blobs/sha256/../../../x', 'blobs/../index.json', '//index.json', './/oci-layout', 'C:\\x', '.oci-tar/index.lock', '.oci-tar/staging/x', 'blobs/sha256/x', 'index.json/x'])('writes nothing for an entry called %s', async (name) => {
    expect(await taken(way, tar([{ name, body: text('evil') }, ...order]))).toEqual(store);
  });

  it.each(['/', '../', 'x/../'])('does not take names behind %s for those of a layout', async (prefix) => {
    const elsewhere = order.map((entry) => ({ ...entry, name: `${prefix}${entry.name}` }));
    await refused(way, tar(elsewhere), 'INVALID_LAYOUT');
  });

  it('takes names that begin with ./', async () => {
    const dotted = order.map((entry) => ({ ...entry, name: `./${entry.name}` }));
    expect(await taken(way, tar(dotted))).toEqual(store);
  });

  it('takes the same index.json, oci-layout and blobs twice', async () => {
    expect(await taken(way, tar([...order, ...order]))).toEqual(store);
  });

  it('takes blobs that come before the documents that need them', async () => {
    expect(await taken(way, tar(order.toReversed()))).toEqual(store);
  });

  it('leaves blobs out that no image needs, sound or not', async () => {
    const damaged = flipped(text('an unneeded blob'), 3);
    const unneeded: Entry = { name: `blobs/sha256/${'ab'.repeat(32)}`, body: damaged };
    expect(await taken(way, archive(pieces, unneeded))).toEqual(store);
  });

  it('refuses headers that take more than 1 MiB', async () => {
    const long: Entry = { name: '././@LongLink', body: new Uint8Array(1 << 20).fill(0x61), header: { typeflag: 'L', format: 'gnu' } };
    const more: Entry = { ...long, body: new Uint8Array(1024).fill(0x61) };
    expect((await refused(way, tar([more, long, ...order]), 'LIMIT_EXCEEDED')).details.limit).toBe(1 << 20);
  });

  it('refuses a size beyond the end, and one that is no number', async () => {
    const huge: Entry = { ...pieces.layer, header: { size: 0o77777777777 } };
    expect((await refused(way, archive({ ...pieces, layer: huge }), 'INVALID_TAR')).message).toContain('truncated');
    const negative: Entry = { ...pieces.layer, header: { size: new Uint8Array(12).fill(0xff) } };
    await refused(way, archive({ ...pieces, layer: negative }), 'INVALID_TAR');
    const letters: Entry = { ...pieces.layer, header: { size: text('twelve bytes') } };
    await refused(way, archive({ ...pieces, layer: letters }), 'INVALID_TAR');
  });
});
