import { join } from 'node:path';
import { localStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { archive, blobEntry, bodyOffset, flipped, imagePieces, layoutEntry, noise, tar, text } from './archives.ts';
import type { Pieces } from './archives.ts';
import { importBy, inFolder, refused, ways } from './attempt.ts';

const pieces = await imagePieces();
const order = Object.values(pieces);
const whole = tar(order);
const at = (piece: keyof Pieces) => bodyOffset(order, pieces[piece]);

describe.each(ways)('a damaged archive, by %s', (way) => {
  it('with a flipped bit in any header is refused at that header', async () => {
    for (const entry of order) {
      const header = bodyOffset(order, entry) - 512;
      // A name, a size, the checksum itself, and a byte that nobody looks at otherwise.
      for (const byte of [0, 130, 148, 500]) {
        const error = await refused(way, flipped(whole, header + byte), 'INVALID_TAR');
        expect(error.details.offset).toBe(header);
      }
    }
  });

  it.each(['layer', 'config', 'manifest'] as const)('with a flipped bit in a %s is refused by its digest', async (piece) => {
    for (const byte of [0, pieces[piece].body.length - 1]) {
      const error = await refused(way, flipped(whole, at(piece) + byte, 4), 'DIGEST_MISMATCH');
      expect(error.message).toContain(pieces[piece].name.slice('blobs/sha256/'.length));
    }
  });

  it('with a flipped bit in index.json or oci-layout is refused', async () => {
    await refused(way, flipped(whole, at('index')), 'INVALID_JSON');
    await refused(way, flipped(whole, at('layout')), 'INVALID_JSON');
    // "schemaVersion":2 becomes 3; version 1.0.0 becomes 1.0.1; one digit of the manifest's digest changes.
    const digit = text('"schemaVersion":').length + 1;
    await refused(way, flipped(whole, at('index') + digit), 'INVALID_MANIFEST');
    await refused(way, flipped(whole, at('layout') + pieces.layout.body.length - 3), 'INVALID_LAYOUT');
    const digest = Buffer.from(pieces.index.body).indexOf('sha256:') + 7;
    const changed = Uint8Array.from(whole);
    changed[at('index') + digest] = changed[at('index') + digest] === 0x30 ? 0x31 : 0x30;
    await refused(way, changed, 'NOT_FOUND');
  });

  it('with a blob under the name of another is refused', async () => {
    const other = text('something else altogether');
    // From a pipe its bytes come before anybody has said how many there should be.
    await refused(way, archive({ ...pieces, layer: { ...pieces.layer, body: other } }), way === 'file' ? 'SIZE_MISMATCH' : 'DIGEST_MISMATCH');
    const reversed = pieces.layer.body.toReversed();
    await refused(way, archive({ ...pieces, layer: { ...pieces.layer, body: reversed } }), 'DIGEST_MISMATCH');
    await refused(way, archive({ ...pieces, manifest: { ...pieces.manifest, body: pieces.manifest.body.toReversed() } }), 'DIGEST_MISMATCH');
  });

  it.each(['manifest', 'config', 'layer'] as const)('without its %s is refused and told what is missing', async (piece) => {
    const error = await refused(way, archive({ ...pieces, [piece]: undefined }), 'NOT_FOUND');
    expect(error.message).toContain(pieces[piece].name.slice('blobs/sha256/'.length));
    expect(error.details.side).toBe('source');
  });

  it.each(['manifest', 'config', 'layer'] as const)('without its %s is refused by a store that has it, too', async (piece) => {
    await inFolder(async (folder) => {
      const store = await localStore(join(folder, 'store'));
      await importBy(way, archive(pieces), store, folder);
      await expect(importBy(way, archive({ ...pieces, [piece]: undefined }), store, folder)).rejects.toMatchObject({ code: 'NOT_FOUND', details: { side: 'source' } });
      await importBy(way, archive(pieces), store, folder);
      await store.close();
    });
  });

  it.each(['index', 'layout'] as const)('without its %s file is no image archive', async (piece) => {
    const error = await refused(way, archive({ ...pieces, [piece]: undefined }), 'INVALID_LAYOUT');
    expect(error.message).toContain(pieces[piece].name);
  });

  it('of another layout version is refused, and the version is named', async () => {
    const layout = { ...layoutEntry, body: text('{"imageLayoutVersion":"2.0.0"}') };
    expect((await refused(way, archive({ ...pieces, layout }), 'INVALID_LAYOUT')).message).toContain('"2.0.0"');
    for (const body of ['{}', '[]', '"1.0.0"', 'null', '{"imageLayoutVersion":1}']) {
      await refused(way, archive({ ...pieces, layout: { ...layoutEntry, body: text(body) } }), 'INVALID_LAYOUT');
    }
    await refused(way, archive({ ...pieces, layout: { ...layoutEntry, body: new Uint8Array() } }), 'INVALID_JSON');
  });

  it('with two different index.json is refused', async () => {
    const other = { ...pieces.index, body: text('{"schemaVersion":2,"manifests":[]}') };
    await refused(way, archive(pieces, other), 'INVALID_LAYOUT');
    await refused(way, tar([other, ...order]), 'INVALID_LAYOUT');
    // Of the same length, so that only the bytes tell.
    await refused(way, archive(pieces, { ...pieces.index, body: Uint8Array.from(Buffer.from(pieces.index.body).toString().replace('hostile', 'elitsoh'), (c) => c.charCodeAt(0)) }), 'INVALID_LAYOUT');
  });

  it('with two different oci-layout is refused', async () => {
    await refused(way, archive(pieces, { ...layoutEntry, body: text('{"imageLayoutVersion":"1.0.0" }') }), 'INVALID_LAYOUT');
  });

  it('with a blob twice, once damaged, is refused when the damaged one comes first', async () => {
    const damaged = { ...pieces.layer, body: flipped(pieces.layer.body, 0) };
    await refused(way, tar([pieces.layout, pieces.index, pieces.manifest, pieces.config, damaged, pieces.layer]), 'DIGEST_MISMATCH');
  });

  it('with no images in it is refused', async () => {
    await refused(way, tar([layoutEntry, { name: 'index.json', body: text('{"schemaVersion":2,"manifests":[]}') }]), 'NOT_FOUND');
  });

  it('of random bytes is refused, as the tar or the compression that it seems to be', async () => {
    for (let seed = 1; seed <= 5; seed++) await refused(way, noise(seed, 5000), 'INVALID_TAR');
    await refused(way, Buffer.concat([Buffer.from('1f8b080000000000', 'hex'), noise(6, 5000)]), 'INVALID_COMPRESSION');
    // A frame header that asks for no dictionary.
    await refused(way, Buffer.concat([Buffer.from('28b52ffd2000', 'hex'), noise(7, 5000)]), 'INVALID_COMPRESSION');
  });

  it('that is something else is refused', async () => {
    await refused(way, text('FROM scratch\n'), 'INVALID_TAR');
    await refused(way, tar([{ name: 'etc/passwd', body: text('root:x:0:0') }]), 'INVALID_LAYOUT');
    await refused(way, tar([await blobEntry(text('a blob alone'))]), 'INVALID_LAYOUT');
  });
});
