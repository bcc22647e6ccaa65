import { importImages, importStream, layoutStore, memoryDriver, mediaTypes, stringifyJson, tarReader, bytesSource, verifyImages, digestBytes } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { listed, memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { archive, blobEntry, imagePieces, indexEntry, layoutEntry, named, tar, text } from './archives.ts';
import type { Changes, Entry } from './archives.ts';
import { refused, taken, ways } from './attempt.ts';

const sound = await imagePieces();

/** The sound image with its index.json spelled otherwise. */
function withIndex(body: string): Uint8Array {
  return archive({ ...sound, index: { name: 'index.json', body: text(body) } });
}

const index = new TextDecoder().decode(sound.index.body);
const digestText = /sha256:[0-9a-f]{64}/;

describe.each(ways)('documents that make no sense, by %s', (way) => {
  it.each<[string, Changes, ErrorCode]>([
    ['a layer one byte too long', { layer: { size: 2049 } }, 'SIZE_MISMATCH'],
    ['a layer of no bytes', { layer: { size: 0 } }, 'SIZE_MISMATCH'],
    ['a layer of 9 PB', { layer: { size: Number.MAX_SAFE_INTEGER } }, 'SIZE_MISMATCH'],
    ['a layer of -1 bytes', { layer: { size: -1 } }, 'INVALID_MANIFEST'],
    ['a layer of half a byte', { layer: { size: 0.5 } }, 'INVALID_MANIFEST'],
    ['a layer of 1e300 bytes', { layer: { size: 1e300 } }, 'INVALID_JSON'],
    ['a layer whose size is a text', { layer: { size: '2048' } as never }, 'INVALID_MANIFEST'],
    ['a config of 9 PB', { config: { size: Number.MAX_SAFE_INTEGER } }, 'SIZE_MISMATCH'],
    ['a config without a size', { config: { size: undefined } as never }, 'INVALID_MANIFEST'],
    ['a manifest one byte too short', { manifest: { size: 10 } }, 'SIZE_MISMATCH'],
    ['a manifest of 9 PB', { manifest: { size: Number.MAX_SAFE_INTEGER } }, 'SIZE_MISMATCH'],
    ['a manifest of -1 bytes', { manifest: { size: -1 } }, 'INVALID_MANIFEST'],
    ['a layer with a digest in upper case', { layer: { digest: `sha256:${'A'.repeat(64)}` } }, 'INVALID_MANIFEST'],
    ['a layer with a digest that is too short', { layer: { digest: 'sha256:abc' } }, 'INVALID_MANIFEST'],
    ['a layer whose digest leads elsewhere', { layer: { digest: 'sha256:../../../../etc/passwd' } }, 'INVALID_MANIFEST'],
    ['a layer whose algorithm leads elsewhere', { layer: { digest: '../x:y' } }, 'INVALID_MANIFEST'],
    ['a config without a digest', { config: { digest: undefined } as never }, 'INVALID_MANIFEST'],
    ['a manifest with a digest of 300 letters', { manifest: { digest: `x:${'y'.repeat(300)}` } }, 'INVALID_MANIFEST'],
    ['a layer of an unknown algorithm', { layer: { digest: 'future:abc' } }, 'NOT_FOUND'],
    ['a manifest that is an index as well', { manifestFields: { manifests: [] } }, 'INVALID_MANIFEST'],
    ['a manifest of another type than its descriptor says', { manifestFields: { mediaType: mediaTypes.index } }, 'INVALID_MANIFEST'],
    ['a manifest of schema 1', { manifestFields: { schemaVersion: 1 } }, 'UNSUPPORTED'],
    ['a manifest that is called an index', { manifest: { mediaType: mediaTypes.index } }, 'INVALID_MANIFEST'],
    ['embedded data of another length', { config: { data: 'AAAA' } }, 'INVALID_MANIFEST'],
    ['a media type with a line break', { layer: { mediaType: 'a/b\nc' } }, 'INVALID_MANIFEST'],
  ])('%s', async (_what, changes, code) => {
    await refused(way, archive(await imagePieces(changes)), code);
  });

  it.each<[string, string, ErrorCode]>([
    ['a key twice', index.replace('"schemaVersion":2', '"schemaVersion":2,"schemaVersion":2'), 'INVALID_JSON'],
    ['a digest twice in one descriptor', index.replace('"digest":', `"digest":"sha256:${'0'.repeat(64)}","digest":`), 'INVALID_JSON'],
    ['a key twice, once escaped', index.replace('"manifests":', '"m\\u0061nifests":[],"manifests":'), 'INVALID_JSON'],
    ['nested arrays 100,000 deep', `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},${index.slice(1)}`, 'LIMIT_EXCEEDED'],
    ['17 levels', `{"x":${'['.repeat(16)}${']'.repeat(16)},${index.slice(1)}`, 'LIMIT_EXCEEDED'],
    ['a byte order mark', `\ufeff${index}`, 'INVALID_JSON'],
    ['more after its end', `${index}{}`, 'INVALID_JSON'],
    ['an array for an object', '[]', 'INVALID_MANIFEST'],
    ['a digest of bad grammar', index.replace(digestText, 'sha256-abc'), 'INVALID_MANIFEST'],
    ['a digest with a NUL', index.replace(digestText, 'sha256:\\u0000'), 'INVALID_MANIFEST'],
    ['another schema version', index.replace('"schemaVersion":2', '"schemaVersion":3'), 'INVALID_MANIFEST'],
    ['no manifests', '{"schemaVersion":2}', 'INVALID_MANIFEST'],
    ['a name that is no reference', index.replace('docker.io/library/hostile:1', 'docker.io/library/HOSTILE:1'), 'INVALID_REFERENCE'],
    ['a name that leads elsewhere', index.replace('docker.io/library/hostile:1', 'docker.io/../../etc:1'), 'INVALID_REFERENCE'],
  ])('index.json with %s', async (_what, body, code) => {
    await refused(way, withIndex(body), code);
  });

  it('index.json longer than 4 MiB', async () => {
    const error = await refused(way, withIndex(`{"x":"${'x'.repeat(4 << 20)}",${index.slice(1)}`), 'LIMIT_EXCEEDED');
    expect(error.details.limit).toBe(4 << 20);
  });

  it('a manifest of 5 MiB', async () => {
    const large = await imagePieces({ manifestFields: { annotations: { x: 'x'.repeat(5 << 20) } } });
    expect((await refused(way, archive(large), 'LIMIT_EXCEEDED')).details.limit).toBe(4 << 20);
    // Also where it comes before anybody asks for it.
    const { manifest, ...others } = large;
    await refused(way, tar([manifest, ...Object.values(others)]), 'LIMIT_EXCEEDED');
  });

  it('indexes that are 20 deep', async () => {
    const blobs: Entry[] = [];
    let body = sound.manifest.body;
    let mediaType: string = mediaTypes.manifest;
    for (let depth = 0; depth < 20; depth++) {
      const descriptor = { mediaType, digest: await digestBytes(body), size: body.length };
      body = stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [descriptor] });
      mediaType = mediaTypes.index;
      blobs.push(await blobEntry(body));
    }
    const top = indexEntry([named({ mediaType, digest: await digestBytes(body), size: body.length })]);
    for (const nested of [blobs, blobs.toReversed()]) {
      await refused(way, tar([layoutEntry, top, ...nested, sound.manifest, sound.config, sound.layer]), 'LIMIT_EXCEEDED');
    }
  });

  it('an index that lists the same manifest 10,000 times is one image', async () => {
    const descriptor = { mediaType: mediaTypes.manifest, digest: await digestBytes(sound.manifest.body), size: sound.manifest.body.length };
    const body = stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: Array.from({ length: 10_000 }, () => descriptor) });
    const top = indexEntry([named({ mediaType: mediaTypes.index, digest: await digestBytes(body), size: body.length })]);
    const files = await taken(way, tar([layoutEntry, top, await blobEntry(body), sound.manifest, sound.config, sound.layer]));
    expect(files.size).toBe(6);
  });

  it('diffIDs of another layer, or of none, are refused before anything moves', async () => {
    for (const [diffIDs, code] of [
      [[`sha256:${'0'.repeat(64)}`], 'DIGEST_MISMATCH'],
      [[], 'INVALID_MANIFEST'],
    ] as const) {
      const bytes = archive(await imagePieces({ diffIDs }));
      const target = memoryStore();
      const loading = way === 'pipe' ? importStream(cut(bytes), { target }) : importImages(layoutStore(await tarReader(bytesSource(bytes))), { target });
      await expect(loading).rejects.toMatchObject({ code });
      expect(await listed(target)).toEqual([]);
    }
  });
});

describe('a layout that is damaged in its place', () => {
  it('is reported by verify, problem by problem, and not thrown', async () => {
    const driver = memoryDriver();
    const store = memoryStore(driver);
    await importStream(cut(archive(sound)), { target: store });
    for (const piece of ['layer', 'config', 'manifest'] as const) {
      const writer = await driver.writer(sound[piece].name);
      await writer.write(sound[piece].body.toReversed());
      await writer.commit();
      const { problems } = await verifyImages(store, await listed(store));
      expect(problems.map(({ code }) => code)).toContain('DIGEST_MISMATCH');
      await driver.remove(sound[piece].name);
      expect((await verifyImages(store, await listed(store))).problems).toMatchObject(expect.arrayContaining([expect.objectContaining({ code: 'NOT_FOUND' })]) as object);
    }
  });
});
