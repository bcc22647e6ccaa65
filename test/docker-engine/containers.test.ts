import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dockerContainers, packTree, uploadFailure } from '@oci-tar/core';
import type { DockerContainers, DockerEngineOptions } from '@oci-tar/core';
import { parsePathStat } from '../../packages/core/src/stores/docker-engine/path-stat.ts';
import { Cli, folder } from '../cli/support.ts';
import { layerOf } from '../support/images.ts';
import { FakeEngine, sendJson, taking } from './fake-engine.ts';
import type { FakeEngineOptions } from './fake-engine.ts';
import fc from '../support/fast-check.ts';

const archivePath = '/containers/web/archive';

async function containersOf(on: FakeEngineOptions['on'], more: Partial<DockerEngineOptions> = {}): Promise<{ readonly engine: FakeEngine; readonly containers: DockerContainers }> {
  const engine = await FakeEngine.start(on === undefined ? {} : { on });
  return { engine, containers: await dockerContainers({ ...engine.options, ...more }) };
}

function statOf(fields: object): string {
  return Buffer.from(JSON.stringify({ name: 'x', size: 0, mode: 0o644, mtime: '2026-11-22T12:00:00Z', linkTarget: '', ...fields })).toString('base64');
}

/** A tar that never ends; it tells how much of it was taken, and when it was given up. */
class Endless {
  taken = 0;
  returned = false;

  async *archive(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        this.taken += 65_536;
        yield new Uint8Array(65_536);
      }
    } finally {
      this.returned = true;
    }
  }
}

describe('an upload into a container', () => {
  it('is the archive, in a body that has no length beforehand', async () => {
    const root = folder({ 'a.txt': 'a\n', 'b/c': 'c\n' });
    let body = new Uint8Array();
    const told: unknown[] = [];
    const { containers, engine } = await containersOf({
      [`PUT ${archivePath}`]: (request, response, url) => {
        told.push(request.headers['content-type'], request.headers['transfer-encoding'], request.headers['content-length'], url.search);
        return taking(200, '', (bytes) => (body = Uint8Array.from(bytes)))(request, response, url);
      },
    });
    const options = { uid: 0, gid: 0, mtime: 0 };
    expect(await containers.uploadArchive('web', '/a b&c', packTree(root, options), { copyUIDGID: true, noOverwriteDirNonDir: true })).toEqual({ outcome: 'done' });
    const expected: Uint8Array[] = [];
    for await (const piece of packTree(root, options)) expected.push(piece.bytes);
    expect(Buffer.compare(body, Buffer.concat(expected))).toBe(0);
    expect(told).toEqual(['application/x-tar', 'chunked', undefined, '?path=%2Fa+b%26c&noOverwriteDirNonDir=1&copyUIDGID=1']);
    expect(engine.seen.at(-1)).toBe(`PUT /v1.41${archivePath}`);
    await containers.close();
  });

  it.each([
    [400, 'the path is missing', 'bad-parameter', 'INVALID_ARGUMENT'],
    [403, 'it is read-only', 'permission-denied', 'FORBIDDEN'],
    [404, 'No such container: web', 'no-such-container', 'NOT_FOUND'],
    [404, 'Could not find the file /x in container web', 'no-such-path', 'NOT_FOUND'],
    [500, 'out of luck', 'server-error', 'ENGINE'],
    [500, 'container rootfs is marked read-only', 'permission-denied', 'ENGINE'],
  ] as const)('that is answered %i (%s) is %s', async (status, message, outcome, code) => {
    const { containers } = await containersOf({ [`PUT ${archivePath}`]: taking(status, JSON.stringify({ message })) });
    const refused = await containers.uploadArchive('web', '/x', single(await layerOf({ a: 'a' })));
    expect(refused).toEqual({ outcome, status, message });
    if (refused.outcome !== 'done') expect(uploadFailure(refused, 'web')).toMatchObject({ code, details: { actual: status } });
    await containers.close();
  });

  it.each([400, 403, 404, 500])('that is answered %i before its end is given up, and its source released', async (status) => {
    const { containers } = await containersOf({ [`PUT ${archivePath}`]: (_request, response) => sendJson(response, status, { message: 'no' }) });
    const source = new Endless();
    expect(await containers.uploadArchive('web', '/x', source.archive())).toMatchObject({ status, message: 'no' });
    await expect.poll(() => source.returned).toBe(true);
    await containers.close();
  });

  it('throws what the archive throws, and the engine sees an archive that is cut off', async () => {
    const ends: boolean[] = [];
    const { containers } = await containersOf({ [`PUT ${archivePath}`]: (request) => void request.on('close', () => ends.push(request.complete)).resume() });
    const reason = new Error('the file changed');
    const failing = (async function* () {
      for (let count = 0; count < 50; count += 1) yield new Uint8Array(65_536);
      throw reason;
    })();
    await expect(containers.uploadArchive('web', '/', failing)).rejects.toBe(reason);
    await expect.poll(() => ends).toEqual([false]);
    await containers.close();
  });

  it.each([418, 502])('with an answer that the API does not have (%i) throws ENGINE', async (status) => {
    const { containers } = await containersOf({ [`PUT ${archivePath}`]: taking(status, 'what?\nmore') });
    await expect(containers.uploadArchive('web', '/', single(new Uint8Array(1024)))).rejects.toMatchObject({ code: 'ENGINE', details: { actual: status }, message: expect.stringContaining('what?') as string });
    await containers.close();
  });

  it('is ENGINE when the engine goes away, TIMEOUT when it never answers, and stops with the reason of the signal', async () => {
    const { containers } = await containersOf({ [`PUT ${archivePath}`]: (request) => void request.once('data', () => request.destroy()), 'PUT /containers/mute/archive': (request) => void request.resume() }, { workTimeout: 200 });
    await expect(containers.uploadArchive('web', '/', new Endless().archive())).rejects.toMatchObject({ code: 'ENGINE' });
    await expect(containers.uploadArchive('mute', '/', single(new Uint8Array(1024)))).rejects.toMatchObject({ code: 'TIMEOUT' });
    const controller = new AbortController();
    const source = new Endless();
    const uploading = containers.uploadArchive('mute', '/', source.archive(), { signal: controller.signal });
    await expect.poll(() => source.taken).toBeGreaterThan(0);
    controller.abort(new Error('enough'));
    await expect(uploading).rejects.toThrow('enough');
    await expect.poll(() => source.returned).toBe(true);
    await containers.close();
  });

  it('refuses what is no container before anything is asked', async () => {
    const { containers, engine } = await containersOf({});
    for (const name of ['', '../info', 'a/b', 'a b', 'x?path=/']) await expect(containers.statPath(name, '/')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(engine.seen).toEqual([]);
    await containers.close();
  });
});

describe('a download out of a container', () => {
  it('is the archive and what the path is', async () => {
    const tar = await layerOf({ 'etc/motd': 'hello\n' });
    const { containers } = await containersOf({ [`GET ${archivePath}`]: (_request, response) => void response.writeHead(200, { 'x-docker-container-path-stat': statOf({ name: 'etc', mode: 2 ** 31 + 0o755 }) }).end(tar) });
    const { stat, archive } = await containers.downloadArchive('web', '/etc');
    expect(stat).toMatchObject({ name: 'etc', type: 'directory', mode: 0o755 });
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive) chunks.push(chunk);
    expect(Buffer.compare(Buffer.concat(chunks), tar)).toBe(0);
    await containers.close();
  });

  it.each([
    [400, 'INVALID_ARGUMENT'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [500, 'ENGINE'],
  ] as const)('that is answered %i is %s', async (status, code) => {
    const { containers } = await containersOf({ [`GET ${archivePath}`]: (_request, response) => sendJson(response, status, { message: 'no' }) });
    await expect(containers.downloadArchive('web', '/x')).rejects.toMatchObject({ code, details: { actual: status } });
    await containers.close();
  });

  it.each([
    ['cut off', 0.6, 'ENGINE'],
    ['ended too early', 0.5, 'INVALID_TAR'],
  ] as const)('that is %s makes no directory', async (how, part, code) => {
    const tar = await layerOf({ a: 'x'.repeat(100_000), b: 'b' });
    const head = tar.subarray(0, Math.floor(tar.length * part));
    const { containers } = await containersOf({
      [`GET ${archivePath}`]: (_request, response) => {
        response.writeHead(200, { 'x-docker-container-path-stat': statOf({}) });
        if (how === 'cut off') response.write(head, () => response.destroy());
        else response.end(head);
      },
    });
    const directory = join(folder(), 'out');
    await expect(containers.downloadTree('web', '/x', directory)).rejects.toMatchObject({ code });
    expect(existsSync(directory)).toBe(false);
    await containers.close();
  });

  it('never writes outside of its directory', async () => {
    const tar = await layerOf({ '../escaped': 'x' });
    const { containers } = await containersOf({ [`GET ${archivePath}`]: (_request, response) => void response.writeHead(200, { 'x-docker-container-path-stat': statOf({}) }).end(tar) });
    const root = folder();
    await expect(containers.downloadTree('web', '/x', join(root, 'out'))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    expect(existsSync(join(root, 'escaped'))).toBe(false);
    await containers.close();
  });
});

describe('what the engine says of a path', () => {
  it.each([
    [0o644, 'file', 0o644],
    [2 ** 31 + 0o755, 'directory', 0o755],
    [2 ** 31 + 2 ** 20 + 0o777, 'directory', 0o1777],
    [2 ** 27 + 0o777, 'symlink', 0o777],
    [2 ** 23 + 0o755, 'file', 0o4755],
    [2 ** 22 + 0o755, 'file', 0o2755],
    [2 ** 26 + 2 ** 21 + 0o600, 'other', 0o600],
    [2 ** 25 + 0o600, 'other', 0o600],
  ])('mode %i is a %s', (mode, type, bits) => {
    expect(parsePathStat(statOf({ mode }), '/x')).toMatchObject({ type, mode: bits });
  });

  it.each([undefined, '', '!', 'AAAA', Buffer.from('[]').toString('base64'), Buffer.from('{"name":1}').toString('base64'), statOf({ mode: -1 }), 'A'.repeat(100_000)])('%s is ENGINE', (header) => {
    expect(() => parsePathStat(header, '/x')).toThrow(expect.objectContaining({ code: 'ENGINE' }) as Error);
  });

  it('is read or refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json().map((text) => Buffer.from(text).toString('base64'))), (header) => {
        try {
          parsePathStat(header, '/x');
        } catch (error) {
          expect(error).toMatchObject({ code: 'ENGINE' });
        }
      }),
    );
  });
});

describe('the command cp', () => {
  const directory = { 'x-docker-container-path-stat': statOf({ name: 'etc', mode: 2 ** 31 + 0o755 }) };

  async function cliOf(on: FakeEngineOptions['on']): Promise<Cli> {
    const engine = await FakeEngine.start(on === undefined ? {} : { on });
    const cli = new Cli({ env: { DOCKER_HOST: `unix://${engine.socket}` } });
    await writeFile(cli.path('one'), '1');
    await writeFile(cli.path('two'), '2');
    return cli;
  }

  it('says how an upload ended, by its exit status', async () => {
    for (const [status, exit] of [[200, 0], [400, 2], [403, 5], [404, 3], [500, 1]] as const) {
      const cli = await cliOf({ [`HEAD ${archivePath}`]: (_request, response) => void response.writeHead(200, directory).end(), [`PUT ${archivePath}`]: taking(status, '{"message":"so it is"}') });
      const outcome = await cli.run(['cp', '@one', '@two', 'container:web:/etc']);
      expect(outcome.status, `${status}`).toBe(exit);
      if (status !== 200) expect(outcome.stderr).toContain('so it is');
    }
  });

  it('names a file as its target where that is not a directory', async () => {
    const seen: string[] = [];
    const cli = await cliOf({
      [`HEAD ${archivePath}`]: (_request, response) => void response.writeHead(404).end(),
      'GET /containers/web/json': (_request, response) => sendJson(response, 200, {}),
      [`PUT ${archivePath}`]: (request, response, url) => taking(200, '', (bytes) => seen.push(url.searchParams.get('path') ?? '', Buffer.from(bytes).toString('latin1', 0, 7)))(request, response, url),
    });
    await cli.ok('cp', '@one', 'container:web:/etc/renamed');
    expect(seen).toEqual(['/etc', 'renamed']);
    expect((await cli.run(['cp', '@one', '@two', 'container:web:/etc/none'])).status).toBe(3);
    expect((await cli.run(['cp', '@one', 'container:web:/etc/none/'])).status).toBe(3);
  });

  it.each([
    [['@one'], 'an argument is missing'],
    [['@one', '@two'], 'one side has to be a container'],
    [['container:a:/x', 'container:b:/y'], 'one side has to be a container'],
    [['@one', 'container:web'], 'names no path in a container'],
    [['container:web:/x', '@out', '@more'], 'unexpected argument'],
    [['-', '@one', 'container:web:/x'], 'copied alone'],
    [['container:web:/x', '@one'], 'is a file'],
  ])('%j makes no sense', async (args, message) => {
    const cli = await cliOf({});
    const outcome = await cli.run(['cp', ...args]);
    expect(outcome.stderr).toContain(message);
    expect(outcome.status).toBe(2);
  });
});

async function* single(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
