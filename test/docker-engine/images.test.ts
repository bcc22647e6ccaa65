import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { copyImage, dockerEngineStore, importStream, verifyImages } from '@oci-tar/core';
import type { DockerEngineOptions, DockerEngineStore, ImageStore, LoadProgress } from '@oci-tar/core';
import { Cli } from '../cli/support.ts';
import { addImages, addIndex, linux, listed, memoryStore } from '../support/images.ts';
import { FakeEngine, savedArchive, sendJson, taking } from './fake-engine.ts';
import type { FakeEngineOptions } from './fake-engine.ts';

const name = 'docker.io/library/hello:1';
const id = `sha256:${'1'.repeat(64)}`;

async function storeOf(options: FakeEngineOptions, more: Partial<DockerEngineOptions> = {}): Promise<{ readonly engine: FakeEngine; readonly store: DockerEngineStore }> {
  const engine = await FakeEngine.start(options);
  return { engine, store: await dockerEngineStore({ ...engine.options, ...more }) };
}

/** Answers as an engine that has the image. */
function having(bytes: Uint8Array): NonNullable<FakeEngineOptions['on']> {
  return {
    [`GET /images/${name}/json`]: (_request, response) => sendJson(response, 200, { Id: id, RepoTags: ['hello:1'] }),
    'GET /images/hello:1/json': (_request, response) => sendJson(response, 200, { Id: id, RepoTags: ['hello:1'] }),
    'GET /images/get': (_request, response) => void response.writeHead(200, { 'content-type': 'application/x-tar' }).end(bytes),
    'GET /images/json': (_request, response) => sendJson(response, 200, [{ Id: id, RepoTags: ['hello:1', 'other:2'], Size: 12_345 }, { Id: `sha256:${'2'.repeat(64)}`, RepoTags: null, Size: 5 }]),
  };
}

async function load(options: FakeEngineOptions, more: Partial<DockerEngineOptions> = {}, size = 100): Promise<void> {
  const { store } = await storeOf(options, more);
  const source = memoryStore();
  await addImages(source, { name, layers: [{ large: 'x'.repeat(size) }] });
  await copyImage({ source, target: store, reference: name, ...(more.signal === undefined ? {} : { signal: more.signal }) }).finally(() => store.close());
}

describe('the version of the API', () => {
  it.each([
    ['1.41', '1.41'],
    ['1.47', '1.47'],
    ['1.99', '1.51'],
  ])('of an engine with %s is %s', async (apiVersion, spoken) => {
    const { engine, store } = await storeOf({ apiVersion, on: having(new Uint8Array()) });
    expect(await store.version()).toBe(spoken);
    await listed(store);
    expect(engine.seen).toEqual(['GET /_ping', `GET /v${spoken}/images/json`]);
    await store.close();
  });

  it('is what DOCKER_API_VERSION says', async () => {
    const { store } = await storeOf({ apiVersion: '1.47' }, { env: { DOCKER_API_VERSION: '1.43' } });
    expect(await store.version()).toBe('1.43');
    await store.close();
  });

  it.each([
    ['1.40', 'UNSUPPORTED'],
    ['0.9', 'UNSUPPORTED'],
    [null, 'ENGINE'],
    ['new', 'ENGINE'],
  ])('%s is refused', async (apiVersion, code) => {
    const { store } = await storeOf({ apiVersion });
    await expect(listed(store)).rejects.toMatchObject({ code });
    await store.close();
  });
});

describe('the images of an engine', () => {
  it('are listed under each of their names, by image ID', async () => {
    const { store } = await storeOf({ on: having(new Uint8Array()) });
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: id, size: 12_345 };
    expect(await listed(store)).toEqual([
      { name, descriptor: config },
      { name: 'docker.io/library/other:2', descriptor: config },
      { descriptor: { ...config, digest: `sha256:${'2'.repeat(64)}`, size: 5 } },
    ]);
    await store.close();
  });

  it.each(['docker', 'oci'] as const)('are saved once and read in any order, as an archive of kind %s', async (format) => {
    const { bytes } = await savedArchive({ layers: [{ a: 'first' }, { b: 'second' }] }, format);
    const notes: string[] = [];
    const { engine, store } = await storeOf({ on: having(bytes) }, { onNote: (text) => notes.push(text) });
    const [image, again] = [await store.resolve('hello:1'), await store.resolve(name)];
    expect(image.name).toBe(name);
    expect(again).toEqual(image);
    const report = await verifyImages(store, [image]);
    expect(report.problems).toEqual([]);
    expect(report.blobs).toBe(4);
    const target = memoryStore();
    await copyImage({ source: store, target, reference: 'hello:1' });
    expect((await target.resolve(name)).descriptor.digest).toBe(image.descriptor.digest);
    expect(engine.seen.filter((line) => line.endsWith('/images/get'))).toHaveLength(1);
    expect(notes).toHaveLength(1);
    await store.close();
  });

  it('keep the digests of their manifests where the engine keeps manifests', async () => {
    const source = memoryStore();
    const [image] = await addImages(source, { name });
    const { bytes } = await savedArchive({}, 'oci');
    const { store } = await storeOf({ keepsManifests: true, on: having(bytes) });
    expect((await store.resolve(name)).descriptor.digest).toBe(image?.descriptor.digest);
    await store.close();
  });

  it('can be taken as a stream, in one pass', async () => {
    const { bytes } = await savedArchive();
    const { store } = await storeOf({ on: having(bytes) });
    const target = memoryStore();
    const { images } = await importStream(store.save([name]), { target });
    expect(images.map((image) => image.name)).toEqual([name]);
    await store.close();
  });

  it('that are cut off in the middle leave nothing behind', async () => {
    const { bytes } = await savedArchive({ layers: [{ large: 'x'.repeat(1_000_000) }] });
    const on = { ...having(bytes), 'GET /images/get': (_request: unknown, response: ServerResponse) => void response.write(bytes.subarray(0, 500_000), () => response.destroy()) };
    const { store } = await storeOf({ on });
    await expect(store.resolve(name)).rejects.toMatchObject({ code: 'ENGINE', message: expect.stringContaining('went away in the middle') as string });
    await expect(importStream(store.save([name]), { target: memoryStore() })).rejects.toMatchObject({ code: 'ENGINE' });
    await store.close();
  });

  it('of which the engine gives a short archive that ends well are refused', async () => {
    const { bytes } = await savedArchive();
    const { store } = await storeOf({ on: having(bytes.subarray(0, 1024)) });
    await expect(store.resolve(name)).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_(?:TAR|LAYOUT)$/) as string });
    await store.close();
  });

  it('whose bytes are not those of their digests are not taken', async () => {
    const { bytes } = await savedArchive({ layers: [{ text: 'the right text' }] });
    const at = Buffer.from(bytes).indexOf('the right text');
    bytes[at] = 'T'.charCodeAt(0);
    const { store } = await storeOf({ on: having(bytes) });
    await expect(copyImage({ source: store, target: memoryStore(), reference: name })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await store.close();
  });

  it('that are not there are NOT_FOUND, with what is near', async () => {
    const { store } = await storeOf({ on: having(new Uint8Array()) });
    await expect(store.resolve('helo:1')).rejects.toMatchObject({ code: 'NOT_FOUND', hint: 'Did you mean hello:1?' });
    await store.close();
  });
});

describe('loading images into an engine', () => {
  const loaded = '{"stream":"Loaded image: hello:1\\n"}\r\n';

  it.each([
    [false, ['manifest.json'], ['index.json']],
    [true, ['oci-layout', 'index.json', 'manifest.json'], []],
  ])('sends what it keeps: with manifests %s', async (keepsManifests, there, absent) => {
    let body = '';
    await load({ keepsManifests, on: { 'POST /images/load': taking(200, loaded, (bytes) => (body = Buffer.from(bytes).toString('latin1'))) } });
    for (const file of there) expect(body).toContain(file);
    for (const file of absent) expect(body).not.toContain(file);
    expect(body).toContain(keepsManifests ? name : 'hello:1');
  });

  it('tells the progress that the engine tells, and asks for it only then', async () => {
    const said: LoadProgress[] = [];
    const lines = '{"status":"Loading layer","progressDetail":{"current":5,"total":10},"id":"abc"}\r\n{"status":"odd"}\n\nno json\n' + loaded;
    const queries: string[] = [];
    const on: FakeEngineOptions['on'] = { 'POST /images/load': (request, response, url) => (queries.push(url.search), taking(200, lines)(request, response, url)) };
    await load({ on }, { onLoad: (progress) => said.push(progress) });
    await load({ on });
    expect(said).toEqual([{ status: 'Loading layer', id: 'abc', current: 5, total: 10 }, { status: 'odd' }, { status: 'Loaded image: hello:1' }]);
    expect(queries).toEqual(['?quiet=0', '?quiet=1']);
  });

  it.each([
    ['an error', '{"errorDetail":{"message":"no space left"},"error":"no space left"}'],
    ['an error after progress', '{"status":"Loading layer"}\r\n{"error":"no space left"}\r\n'],
    ['an error without a detail', '{"errorDetail":{}}'],
  ])('finds %s inside an answer of 200', async (_, answer) => {
    const message = answer.includes('space') ? 'no space left' : 'does not say why';
    await expect(load({ on: { 'POST /images/load': taking(200, answer) } })).rejects.toMatchObject({ code: 'ENGINE', message: expect.stringContaining(message) as string });
  });

  it('ends with what an engine says that refuses before it has read the archive', async () => {
    const on: FakeEngineOptions['on'] = { 'POST /images/load': (_request, response) => sendJson(response, 500, { message: 'the disk is on fire' }) };
    await expect(load({ on }, {}, 20_000_000)).rejects.toMatchObject({ code: 'ENGINE', details: { actual: 500 }, message: expect.stringContaining('the disk is on fire') as string });
  });

  it('is ENGINE when the engine goes away in the middle', async () => {
    const on: FakeEngineOptions['on'] = { 'POST /images/load': (request) => void request.once('data', () => request.destroy()) };
    await expect(load({ on }, {}, 20_000_000)).rejects.toMatchObject({ code: 'ENGINE', message: expect.stringContaining('went away in the middle') as string });
  });

  it('is TIMEOUT when the engine never answers', async () => {
    const on: FakeEngineOptions['on'] = { 'POST /images/load': (request) => void request.resume() };
    await expect(load({ on }, { workTimeout: 200 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('goes at the pace of the engine', async () => {
    const size = 40_000_000;
    let read = 0;
    let release = () => {};
    const stopped = new Promise<void>((resolve) => (release = resolve));
    const { store } = await storeOf({
      on: {
        'POST /images/load': async (request, response, url) => {
          await stopped;
          await taking(200, loaded)(request, response, url);
        },
      },
    });
    const source = memoryStore();
    await addImages(source, { name, layers: [{ large: 'x'.repeat(size) }] });
    const slices = over(source, async (blob) => sliced(await source.open(blob), (count) => (read += count)));
    const copying = copyImage({ source: slices, target: store, reference: name });
    // Until nothing more is taken: the socket's buffers and a few runs of ours are full.
    for (let before = -1; before !== read || read === 0; ) {
      before = read;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(read).toBeLessThan(size / 2);
    release();
    await copying;
    expect(read).toBeGreaterThanOrEqual(size);
    await store.close();
  });

  it('tells the engine nothing more when the source turns out damaged', async () => {
    const seen: boolean[] = [];
    const { store } = await storeOf({ on: { 'POST /images/load': (request) => void request.on('close', () => seen.push(request.complete)).resume() } });
    const source = memoryStore();
    await addImages(source, { name, layers: [{ text: 'sound '.repeat(500_000) }] });
    const damaged = over(source, async (blob) => (blob.mediaType.includes('layer') ? spoiled(sliced(await source.open(blob), () => {})) : source.open(blob)));
    await expect(copyImage({ source: damaged, target: store, reference: name })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await store.close();
    await expect.poll(() => seen).toEqual([false]);
  });

  it('stops with the reason of the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const on: FakeEngineOptions['on'] = { 'POST /images/load': (request) => void request.once('data', () => controller.abort(reason)) };
    await expect(load({ on }, { signal: controller.signal }, 20_000_000)).rejects.toBe(reason);
  });

  it('takes whole names only, and completes short ones', async () => {
    const { store } = await storeOf({ on: { 'POST /images/load': taking(200, loaded, (bytes) => (body = Buffer.from(bytes).toString('latin1'))) } });
    let body = '';
    const source = memoryStore();
    await addImages(source, { name });
    await copyImage({ source, target: store, reference: name, name: 'short' });
    expect(body).toContain('"docker.io/library/short:latest"');
    await expect(copyImage({ source, target: store, reference: name, name: 'No Name' })).rejects.toMatchObject({ code: 'INVALID_REFERENCE' });
    await store.close();
  });

  it('can be rehearsed: nothing is sent', async () => {
    const engine = await FakeEngine.start({ on: having(new Uint8Array()) });
    const cli = new Cli({ env: { DOCKER_HOST: `unix://${engine.socket}` } });
    await cli.create();
    expect((await cli.ok('copy', 'hello:1', 'docker-daemon:hello:1', '--dry-run')).status).toBe(0);
    expect(engine.seen.filter((line) => line.startsWith('POST'))).toEqual([]);
  });

  it('asks for one platform of several where the engine keeps one only', async () => {
    const { store } = await storeOf({});
    const source = memoryStore();
    await addIndex(source, name, [linux, { os: 'linux', architecture: 'arm64' }]);
    await expect(copyImage({ source, target: store, reference: name })).rejects.toMatchObject({ code: 'CONFLICT' });
    await store.close();
  });
});

type Source = Awaited<ReturnType<ImageStore['open']>>;

/** The same images, whose blobs are opened in another way. */
function over(store: ImageStore, open: ImageStore['open']): ImageStore {
  return { name: store.name, images: () => store.images(), resolve: (reference) => store.resolve(reference), open, close: async () => {} };
}

/** The same in runs of 64 KiB, which are counted. */
function sliced(source: Source, onBytes: (count: number) => void): Source {
  return {
    size: source.size,
    async *read(...range) {
      for await (const run of source.read(...range)) {
        for (let at = 0; at < run.length; at += 65_536) {
          const slice = run.subarray(at, at + 65_536);
          onBytes(slice.length);
          yield slice;
        }
      }
    },
  };
}

function spoiled(source: Source): Source {
  return {
    size: source.size,
    async *read(...range) {
      for await (const run of source.read(...range)) yield run.map((byte) => byte ^ 1);
    },
  };
}
