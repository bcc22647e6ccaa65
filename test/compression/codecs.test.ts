import { describe, expect, it } from 'vitest';
import {
  codecByName,
  codecForMediaType,
  codecs,
  decompressed,
  detectCodec,
} from '../../packages/core/src/compression/codecs.ts';
import { collect, cut, prose, watched } from './streams.ts';

describe('detectCodec', () => {
  it.each([
    ['gzip', [0x1f, 0x8b, 8, 0, 0, 0]],
    ['gzip', [0x1f, 0x8b]],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd, 4, 0]],
    ['zstd', [0x50, 0x2a, 0x4d, 0x18, 0, 0]],
    ['zstd', [0x5f, 0x2a, 0x4d, 0x18, 0, 0]],
    ['none', [0x60, 0x2a, 0x4d, 0x18, 0, 0]],
    ['none', [0x28, 0xb5, 0x2f, 0xfc, 0, 0]],
    ['none', [0x1f]],
    ['none', []],
  ])('finds %s in %j', (name, head) => {
    expect(detectCodec(Uint8Array.from(head)).name).toBe(name);
  });
});

describe('codecByName', () => {
  it('finds every codec', () => {
    for (const codec of codecs) expect(codecByName(codec.name)).toBe(codec);
  });

  it('refuses an unknown name and lists those that there are', () => {
    expect(() => codecByName('xz')).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: { hint: 'one of gzip, zstd, none' } }),
    );
  });
});

describe('codecForMediaType', () => {
  it.each([
    ['application/vnd.oci.image.layer.v1.tar', 'none'],
    ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
    ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
    ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
    ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
    ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
    ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
    ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip'],
    ['application/vnd.oci.image.layer.v1.tar+GZIP; charset=binary', 'gzip'],
    ['application/vnd.oci.image.layer.v1.tar+none', undefined],
    ['application/vnd.oci.image.layer.v1.tar+gzip+encrypted', undefined],
    ['application/vnd.oci.image.layer.v1.tar+bzip2', undefined],
    ['application/vnd.oci.image.config.v1+json', undefined],
    ['application/vnd.example.avatar', undefined],
    ['', undefined],
  ])('reads %j as %s', (mediaType, name) => {
    expect(codecForMediaType(mediaType)?.name).toBe(name);
  });

  it('gives the codec whose suffix makes an OCI layer type', () => {
    for (const codec of codecs) expect(codecForMediaType(`application/vnd.oci.image.layer.v1.tar${codec.suffix}`)).toBe(codec);
  });
});

describe('decompressed', () => {
  const text = prose(200_000);

  it.each(codecs)('undoes $name without being told', async (codec) => {
    for (const cuts of [[1, 2, 50_000], [1_000_000]]) {
      const found = await decompressed(cut(await collect(codec.compress(cut(text))), cuts));
      expect(found.codec).toBe(codec);
      expect(Buffer.compare(await collect(found.bytes), text)).toBe(0);
    }
  });

  it('takes an empty stream and a very short one as they are', async () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0x1f)]) {
      const found = await decompressed(cut(bytes));
      expect(found.codec.name).toBe('none');
      expect(await collect(found.bytes)).toEqual(bytes);
    }
  });

  it.each(codecs)('keeps the limit for $name', async (codec) => {
    const found = await decompressed(cut(await collect(codec.compress(cut(text)))), { limit: 1000 });
    await expect(collect(found.bytes)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('gives the input up, read in part or not at all', async () => {
    const unread = watched(text, [1000]);
    await (await decompressed(unread.stream)).close();
    expect(unread.closed).toBe(true);
    const partly = watched(text, [1000]);
    for await (const _ of (await decompressed(partly.stream)).bytes) break;
    expect(partly.closed).toBe(true);
  });
});
