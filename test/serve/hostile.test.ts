import { describe, expect, it } from 'vitest';
import { addImages, memoryStore } from '../support/images.ts';
import { Wire, eventually, gated, layerDigest, running, wired, withImage } from './running.ts';
import { locationOf, reading, writing } from './support.ts';

const absent = `sha256:${'0'.repeat(64)}`;

describe('names that are tricks with paths', () => {
  it.each([
    '/v2/../../etc/passwd/manifests/1',
    '/v2/%2e%2e/%2e%2e/manifests/1',
    '/v2/hello/%2e%2e/manifests/1',
    '/v2/hello%2f..%2fother/manifests/1',
    '/v2/hello/../manifests/1',
    '/v2//manifests/1',
    '/v2/hello//manifests/1',
    '/v2/hello%00/manifests/1',
    '/v2/hello%0d%0aSet-Cookie:x/manifests/1',
    '/v2/h%C3%A9llo/manifests/1',
    '/v2/HELLO/manifests/1',
    '/v2/hello%5c..%5c/manifests/1',
    '/v2/.hidden/manifests/1',
    '/v2/-x/manifests/1',
    '/v2/hello./manifests/1',
    '/v2/hello%/manifests/1',
    '/v2/hello%ff/manifests/1',
    `/v2/${'a'.repeat(256)}/manifests/1`,
    `/v2/${'a/'.repeat(128)}a/tags/list`,
    '/v2/manifests/1',
  ])('are refused: %s', async (target) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await (await writing({ allowDelete: true })).ask(method, target, { body: '{}' });
      expect([answer.status, answer.codes], method).toEqual([400, ['NAME_INVALID']]);
    }
  });

  it.each(['..', '%2e%2e', '%2e%2e%2findex.json', '.', 'a%00', 'a%2fb', 'x'.repeat(129), 'é', '%E2%80%AE', '-', ' '])('of tags are not there and cannot be pushed: %s', async (tag) => {
    const client = await writing();
    for (const method of ['GET', 'PUT', 'DELETE']) expect((await client.ask(method, `/v2/hello/manifests/${tag}`, { body: '{}' })).status, method).toBe(404);
  });

  it.each(['sha256:..', 'sha256:%2e%2e%2f%2e%2e', `sha256:${'A'.repeat(64)}`, `sha256:${'0'.repeat(63)}`, 'sha256:', ':', `x:${'y'.repeat(500)}`])('of digests are refused: %s', async (digest) => {
    const client = await writing();
    for (const kind of ['blobs', 'manifests', 'referrers']) expect((await client.get(`/v2/hello/${kind}/${digest}`)).status, kind).toBe(400);
  });

  it.each(['/', '/v1/', '/v2/hello', '/v2/hello/other/1', '/etc/passwd', '/v2', '//v2/', 'http://evil/v2/_catalog', '*', '/v2/_catalog/x', '/v2/_catalog?x'])('and addresses of nothing are no failure: %s', async (target) => {
    const { status } = await (await writing()).get(target);
    expect([200, 400, 404]).toContain(status);
  });

  it('are refused when they are too long, or have too many parameters', async () => {
    const client = await reading(['docker.io/library/hello:1']);
    expect((await client.get(`/v2/${'a'.repeat(5000)}`)).status).toBe(414);
    expect((await client.get(`/v2/_catalog?${'a=b&'.repeat(40)}`)).status).toBe(400);
  });

  it('cannot leave the folder of the upload', async () => {
    const client = await writing();
    for (const id of ['..', '%2e%2e', '../../x', 'a'.repeat(31), 'g'.repeat(32), 'a'.repeat(33)]) {
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) expect((await client.ask(method, `/v2/hello/blobs/uploads/${id}`)).status, `${method} ${id}`).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('requests by hand', () => {
  it('with too many headers are refused, and the server goes on', async () => {
    const server = await withImage();
    expect(await wired(server.host, 'GET /v2/', `X: ${'a'.repeat(20_000)}\r\n`)).toMatch(/^HTTP\/1.1 431/);
    expect(await wired(server.host, 'GET /v2/')).toMatch(/^HTTP\/1.1 200/);
  });

  it.each(['nonsense', 'GET /v2/ HTTP/9.9', '\0\0\0', 'CONNECT x:1'])('that are none are answered with 400, or not at all: %j', async (line) => {
    const server = await withImage();
    const wire = new Wire(server.host);
    wire.send(`${line}\r\n\r\n`);
    expect(await wire.rest()).toMatch(/^(?:HTTP\/1.1 400 |$)/);
    expect((await fetch(`${server.url}/v2/`)).status).toBe(200);
  });

  it('that could be taken for two are refused', async () => {
    const { host } = await running({ places: [], writable: memoryStore() });
    expect(await wired(host, 'POST /v2/a/blobs/uploads/', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nGET /v2/ HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
    expect(await wired(host, 'POST /v2/a/blobs/uploads/', 'Content-Length: 5\r\nContent-Length: 6\r\n', 'hello')).toMatch(/^HTTP\/1.1 400/);
  });

  it('with a body that nobody wants do not keep the connection', async () => {
    const { host } = await withImage();
    const wire = new Wire(host);
    wire.send('PUT /v2/hello/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nonly a little');
    expect(await wire.rest()).toMatch(/^HTTP\/1.1 405[^]*connection: close/i);
  });

  it('with a manifest that is too long are refused before it has come', async () => {
    const { host } = await running({ places: [], writable: memoryStore() });
    const wire = new Wire(host);
    wire.send('PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: 999999999\r\n\r\n{');
    expect(await wire.rest()).toMatch(/^HTTP\/1.1 413/);
  });
});

describe('clients that take their time', () => {
  it('are cut off before their headers are complete', async () => {
    const { host } = await withImage({ patience: { headers: 100 } });
    const wire = new Wire(host);
    wire.send('GET /v2/ HTTP/1.1\r\nHost:');
    expect(await wire.rest()).toMatch(/^(?:HTTP\/1.1 408|$)/);
  });

  it('are cut off when no more of a body comes; what has come can be continued', async () => {
    const { host, url } = await running({ places: [], writable: memoryStore(), patience: { piece: 50 } });
    const location = (await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get('location') ?? '';
    const wire = new Wire(host);
    wire.send(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfirst`);
    await wire.closed;
    let range: string | null = null;
    for (; range !== '0-4'; await new Promise((resolve) => setTimeout(resolve, 5))) range = (await fetch(`${url}${location}`)).headers.get('range');
    expect(range).toBe('0-4');
  });

  it('are cut off when they do not take what they asked for, and nothing stays open', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ text: 'x'.repeat(40 * 2 ** 20) }] });
    const slow = gated(store);
    slow.go();
    const { host, url } = await running({ places: [{ store: slow.store }], patience: { piece: 100 } });
    const digest = await layerDigest(url);
    const wire = new Wire(host);
    wire.socket.pause();
    wire.send(`GET /v2/hello/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await eventually(() => slow.open() === 1);
    await eventually(() => slow.open() === 0);
  });
});

describe('clients that go away', () => {
  it.each(['', 'Range: bytes=5-\r\n'])('leave nothing open (%j)', async (range) => {
    const store = memoryStore();
    await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ text: 'x'.repeat(3 * 2 ** 20) }] });
    const slow = gated(store);
    const { host, url } = await running({ places: [{ store: slow.store }] });
    const digest = await layerDigest(url);
    const wires = [1, 2, 3, 4, 5].map(() => new Wire(host));
    for (const wire of wires) wire.send(`GET /v2/hello/blobs/${digest} HTTP/1.1\r\nHost: x\r\n${range}\r\n`);
    await eventually(() => slow.open() >= (range === '' ? 5 : 1));
    for (const wire of wires) wire.socket.destroy();
    slow.go();
    await eventually(() => slow.open() === 0);
    expect((await fetch(`${url}/v2/`)).status).toBe(200);
  });

  it('in the middle of an upload leave what had come', async () => {
    const said: string[] = [];
    const { host, url } = await running({ places: [], writable: memoryStore(), onLog: (line) => said.push(line) });
    const location = (await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get('location') ?? '';
    const wire = new Wire(host);
    wire.send(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfirst`);
    let range: string | null = null;
    for (; range !== '0-4'; await new Promise((resolve) => setTimeout(resolve, 5))) {
      range = (await fetch(`${url}${location}`)).headers.get('range');
      if (range === '0-4') wire.socket.destroy();
    }
    const rest = await fetch(`${url}${location}`, { method: 'PATCH', body: 'second', headers: { 'content-range': '5-10' } });
    expect([202, 409]).toContain(rest.status);
    expect(said).toEqual([]);
  });
});

describe('more than a server can bear', () => {
  it('connections are refused, and those that are there go on', async () => {
    const { host } = await withImage({ connections: 3 });
    const wires = [1, 2, 3].map(() => new Wire(host));
    for (const wire of wires) {
      wire.send('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
      await wire.until(/200 OK/);
    }
    const late = new Wire(host);
    expect(await late.rest()).toBe('');
    wires[0]?.send('GET /v2/_catalog HTTP/1.1\r\nHost: x\r\n\r\n');
    await wires[0]?.until(/repositories/);
  });

  it('answers of blobs that nothing refers to: an unknown digest reads each manifest once', async () => {
    const names = Array.from({ length: 30 }, (_, at) => `docker.io/library/hello:${at}`);
    const client = await reading(names);
    for (const _ of [1, 2]) expect((await client.get(`/v2/hello/blobs/${absent}`)).status).toBe(404);
  });

  it('manifests of one repository are not followed past the limit', async () => {
    const said: string[] = [];
    const names = Array.from({ length: 30 }, (_, at) => `docker.io/library/hello:${at}`);
    const client = await reading(names, { limits: { documents: 5 }, onLog: (line) => said.push(line) });
    expect((await client.get(`/v2/hello/blobs/${absent}`)).status).toBe(404);
    expect(said).toEqual([expect.stringContaining('more than 5 manifests')]);
  });

  it('uploads without an end are refused', async () => {
    const client = await writing({ limits: { uploadSize: 1_000_000 } });
    const location = locationOf(await client.ask('POST', '/v2/hello/blobs/uploads/'));
    let taken = 0;
    const endless = (async function* () {
      for (;;) {
        taken += 65_536;
        yield new Uint8Array(65_536);
      }
    })();
    expect((await client.handler.handle({ method: 'PATCH', target: location, headers: {}, body: endless })).status).toBe(413);
    expect(taken).toBeLessThan(2_000_000);
  });
});
