import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesSource, collect, convertImage, estargz, externalTocCompressor, externalTocDecompressor, listFiles, manifestChecksumAnnotations, mediaTypes, mergedTar, openImage, readFile, seekableForm, tarTokens, tocDigestAnnotation, unpackImage, verifyImages, zstdChunked } from '@oci-tar/core';
import type { ByteSource, Descriptor, ImageStore, LayerForm } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { registryStore } from '../../packages/core/src/stores/registry/store.ts';
import { plain, push, withRegistry } from '../registry/support.ts';
import { memoryStore, pushJson } from '../support/images.ts';
import { addLayered, directory, file, hardlink, symlink, tarOf, whiteout } from '../support/layers.ts';
import { session } from '../support/multi.ts';

const name = 'docker.io/library/hello:1';
const whole = 'docker.io/library/hello:whole';

const estargzForm = seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: estargz({ level: 1 }) });
const externalForm = seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: externalTocCompressor({ level: 1 }), decompressor: (toc) => externalTocDecompressor(toc === undefined ? undefined : bytesSource(toc)) });

const zstdForm = (version: 1 | 2) => seekableForm({ name: 'zstd-chunked', annotation: version === 1 ? tocDigestAnnotation : manifestChecksumAnnotations[2], compressor: zstdChunked({ level: 1, version }), lossless: true });

/** Bytes that no compressor makes smaller. */
function noise(length: number, seed: number): Buffer {
  return Buffer.concat(Array.from({ length: length / 32 }, (_, at) => createHash('sha256').update(`${seed} ${at}`).digest()));
}

const layers = [
  [directory('etc'), file('etc/old', 'old'), file('etc/base', 'base'), hardlink('etc/hard', 'etc/base'), { ...file('big', ''), size: 400_000, data: noise(400_000, 1) }],
  [whiteout('etc/old'), symlink('link', 'etc/hard'), file('top', 'top'), { ...file('other', ''), size: 300_000, data: noise(300_000, 2) }],
];

/** An image in this form, and what it was made of under another name. */
async function imageIn(form: LayerForm, more: Partial<Parameters<typeof convertImage>[0]> = {}): Promise<ImageStore> {
  const store = memoryStore();
  await addLayered(store, { name: whole, layers });
  await convertImage({ source: store, target: store, reference: whole, name, form, ...more });
  return store;
}

async function layersOf(store: ImageStore): Promise<readonly Descriptor[]> {
  return (await openImage(store, (await store.resolve(name)).descriptor)).layers.map(({ descriptor }) => descriptor);
}

/** The same place; each read of a blob is written down, and its bytes may be others. */
function watched(store: ImageStore, change: (source: ByteSource) => ByteSource = (source) => source) {
  const reads: { readonly digest: string; readonly bytes: number }[] = [];
  const open: ImageStore['open'] = async (blob) => {
    const source = change(await store.open(blob));
    return {
      size: source.size,
      read(start = 0, end = source.size) {
        reads.push({ digest: blob.digest, bytes: end - start });
        return source.read(start, end);
      },
    };
  };
  const watching: ImageStore = { name: store.name, images: () => store.images(), resolve: (reference) => store.resolve(reference), close: () => store.close(), open };
  return { store: watching, of: ({ digest }: Descriptor) => reads.filter((read) => read.digest === digest).map(({ bytes }) => bytes) };
}

async function text(source: ImageStore, path: string, more: object = {}): Promise<string> {
  const found = await readFile({ source, reference: name, path, ...more });
  return Buffer.from(await collect(found.read(), 1 << 20, path)).toString();
}

async function listing(source: ImageStore, reference: string) {
  const { nodes } = await listFiles({ source, reference, recursive: true });
  return nodes.filter(({ path }) => !/landmark$|^stargz\.index\.json$/.test(path)).map(({ path, type, size, layer }) => ({ path, type, size, layer }));
}

/** Changes the annotations of the layers; the layers themselves stay. */
async function annotate(store: ImageStore, annotations: Readonly<Record<string, string>>): Promise<void> {
  const image = await openImage(store, (await store.resolve(name)).descriptor);
  const opened = await session(store);
  await opened.name(name, await pushJson(opened, mediaTypes.manifest, 'manifest', { ...image.manifest, layers: image.manifest.layers.map((layer) => ({ ...layer, annotations })) }));
  await opened.end();
}

const tail = 64 * 1024;

describe('an image whose manifest vouches for the TOCs of its layers', () => {
  it.each([
    ['estargz', estargzForm, 1000],
    ['zstd:chunked', zstdForm(2), 1000],
    ["zstd:chunked as stargz-snapshotter's", zstdForm(1), 1000],
    // The large file is in one member with the small ones before it.
    ['estargz, small files together', seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, minChunkSize: 10_000 }), 405_000],
  ])('has one file read with the end of each layer above it and the member that it needs: %s', async (_, form, most) => {
    const inner = await imageIn(form);
    const [base, top] = await layersOf(inner);
    if (base === undefined || top === undefined) throw new Error('two layers');
    for (const path of ['etc/base', 'link']) {
      const { store, of } = watched(inner);
      expect(await text(store, path)).toBe('base');
      expect(of(top)).toEqual([tail]);
      expect(of(base)).toEqual([tail, expect.any(Number)]);
      expect(of(base)[1]).toBeLessThan(most);
    }
    const { store, of } = watched(inner);
    expect(await text(store, 'top')).toBe('top');
    expect([of(top).length, of(base).length]).toEqual([2, 0]);
    await expect(text(store, 'etc/old')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    ['estargz', estargzForm],
    ['zstd:chunked', zstdForm(2)],
  ])('is listed by its TOCs alone, and the list is the same: %s', async (_, form) => {
    const inner = await imageIn(form);
    const { store, of } = watched(inner);
    const found = await listing(store, name);
    for (const layer of await layersOf(inner)) expect(of(layer)).toEqual([tail]);
    expect(found).toEqual(await listing(inner, whole));
    expect(found.map(({ path }) => path)).toContain('etc/hard');
  });

  it('gives nothing of a chunk that is damaged', async () => {
    const damaged = (source: ByteSource): ByteSource => ({
      size: source.size,
      async *read(start = 0, end = source.size) {
        const bytes = (await collect(source.read(start, end), 1 << 22, 'a blob')).slice();
        // A chunk, since it is not at the end.
        if (source.size > 300_000 && end < source.size) bytes[1000] = (bytes[1000] ?? 0) ^ 1;
        yield bytes;
      },
    });
    const inner = await imageIn(estargzForm);
    expect(await text(inner, 'other')).not.toBe('');
    const found = await readFile({ source: watched(inner, damaged).store, reference: name, path: 'other' });
    let given = 0;
    const reading = (async () => {
      for await (const run of found.read()) given += run.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/^(DIGEST_MISMATCH|INVALID_COMPRESSION)$/) as string });
    expect(given).toBe(0);
  });

  it('is not believed where a layer has another TOC', async () => {
    const store = await imageIn(estargzForm);
    await annotate(store, { [tocDigestAnnotation]: `sha256:${'0'.repeat(64)}` });
    await expect(text(store, 'top')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { side: 'source', expected: `sha256:${'0'.repeat(64)}` } });
    await expect(listing(store, name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
});

describe('an image whose layers have to be read whole, and are verified', () => {
  it.each([
    ['nothing vouches for the TOCs', () => imageIn(estargzForm, { mediaTypes: 'docker' })],
    ['the TOCs are elsewhere', () => imageIn(externalForm)],
    ['the layers are plain, whatever the manifest says', async () => {
      const store = memoryStore();
      await addLayered(store, { name, layers });
      await addLayered(store, { name: whole, layers });
      await annotate(store, { [tocDigestAnnotation]: `sha256:${'0'.repeat(64)}` });
      return store;
    }],
  ])('is one where %s', async (_, make) => {
    const inner = await make();
    const { store, of } = watched(inner);
    expect(await text(store, 'top')).toBe('top');
    const top = (await layersOf(inner))[1];
    expect(top === undefined ? [] : of(top)).toContain(top?.size);
    expect(await listing(store, name)).toEqual(await listing(inner, whole));
  });
});

describe('a TOC that is an entry of its tar, as the reference has it', () => {
  const losslessForm = seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: estargz({ level: 1 }), lossless: true });

  /** The tar has no end of its own, so that the TOC comes before it. */
  async function withTocInTar(): Promise<ImageStore> {
    const store = memoryStore();
    const tar = await tarOf([directory('etc'), file('etc/base', 'base'), file('top', 'top'), file('etc/stargz.index.json', 'below')]);
    await addLayered(store, { name: whole, layers: [tar.subarray(0, -1024), [file('other', 'other')]] });
    await convertImage({ source: store, target: store, reference: whole, name, form: losslessForm });
    return store;
  }

  const names = ['etc', 'etc/base', 'etc/stargz.index.json', 'other', 'top'];

  async function flattened(store: ImageStore): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const token of tarTokens(mergedTar({ source: store, reference: name }))) if (token.kind === 'header') found.push(token.entry.path.replace(/^\.\/|\/$/g, ''));
    return found.filter((path) => path !== '' && path !== '.').sort();
  }

  async function unpacked(store: ImageStore, more: object = {}): Promise<readonly string[]> {
    const home = await mkdtemp(join(tmpdir(), 'oci-tar-toc-'));
    try {
      await unpackImage({ source: store, reference: name, directory: join(home, 'root'), rootless: true, ...more });
      return (await readdir(join(home, 'root'), { recursive: true })).sort();
    } finally {
      await rm(home, { recursive: true });
    }
  }

  it('is no file of an image whose manifest vouches for it, whichever way the image is read', async () => {
    const store = await withTocInTar();
    expect((await listFiles({ source: store, reference: name, recursive: true })).nodes.map(({ path }) => path)).toEqual(names);
    expect(await unpacked(store)).toEqual(names);
    expect(await unpacked(store, { duplicates: 'last' })).toEqual(names);
    expect(await flattened(store)).toEqual(names);
  });

  it('is not read where no entry of the tar has its name, as in layers built here', async () => {
    const inner = await imageIn(estargzForm);
    const { store, of } = watched(inner);
    await flattened(store);
    for (const layer of await layersOf(inner)) expect(new Set(of(layer))).toEqual(new Set([layer.size]));
  });

  it('is one where nothing vouches for it', async () => {
    const store = await withTocInTar();
    await annotate(store, {});
    expect(await unpacked(store)).toEqual([...names.slice(0, 4), 'stargz.index.json', 'top']);
    expect(await flattened(store)).toEqual([...names.slice(0, 4), 'stargz.index.json', 'top']);
  });

  it('is not unpacked in the place of another that the manifest names', async () => {
    const store = await withTocInTar();
    await annotate(store, { [tocDigestAnnotation]: `sha256:${'0'.repeat(64)}` });
    await expect(unpacked(store)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('is told of by verify where it is not the one that the manifest names', async () => {
    const store = await withTocInTar();
    expect((await verifyImages(store, [await store.resolve(name)])).problems).toEqual([]);
    await annotate(store, { [tocDigestAnnotation]: `sha256:${'0'.repeat(64)}` });
    const [first] = await layersOf(store);
    expect((await verifyImages(store, [await store.resolve(name)])).problems).toMatchObject([
      { image: name, descriptor: { digest: first?.digest }, code: 'DIGEST_MISMATCH', message: expect.stringContaining('the TOC of layer') },
      { image: name, code: 'DIGEST_MISMATCH' },
    ]);
  });
});

describe('an image in a registry', () => {
  it('has one file read in three requests of its layer, however large the TOC is', () =>
    withRegistry({}, async (server) => {
      const source = memoryStore();
      const many = Array.from({ length: 2000 }, (_, at) => file(`files/${at}`, `content of file ${at}`));
      await addLayered(source, { name: whole, layers: [[...many, file('wanted', 'found')]] });
      await convertImage({ source, target: source, reference: whole, name, form: estargzForm });
      const [layer] = await layersOf(source);
      const remote = `${server.host}/team/app:1`;
      await push(source, remote, {}, name);
      server.seen.length = 0;
      const store = registryStore(remote, plain);
      try {
        const found = await readFile({ source: store, reference: remote, path: 'wanted' });
        expect(Buffer.from(await collect(found.read(), 100, 'wanted')).toString()).toBe('found');
      } finally {
        await store.close();
      }
      expect(server.seen.filter((line) => line.endsWith(`/blobs/${layer?.digest}`))).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^GET /)));
    }));
});
