import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { accessLine, directoryDriver, layoutStore, serveRegistry } from '@oci-tar/core';
import type { Access } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { folder } from '../cli/support.ts';
import { has } from '../interop/peers/tool.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { faulty } from '../support/multi.ts';
import { Wire, eventually, gated, layerDigest, running, withImage } from './running.ts';
import { onlyRead, sha256 } from './support.ts';

const large = 'x'.repeat(3 * 2 ** 20);

describe('a server', () => {
  it('hands out manifests and blobs, large and small', async () => {
    const { url } = await withImage({}, large);
    const digest = await layerDigest(url);
    for (const _ of [1, 2]) expect(sha256(new Uint8Array(await (await fetch(`${url}/v2/hello/blobs/${digest}`)).arrayBuffer()))).toBe(digest);
    const part = await fetch(`${url}/v2/hello/blobs/${digest}`, { headers: { range: 'bytes=0-99' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 100]);
  });

  it('answers several requests over one connection', async () => {
    const wire = new Wire((await withImage()).host);
    for (const turn of [1, 2, 3]) {
      wire.received = '';
      wire.send('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
      expect(await wire.until(/\{\}$/), String(turn)).toMatch(/^HTTP\/1.1 200 OK/);
    }
  });

  it('cuts the connection before the end of a damaged blob', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ text: large }] });
    const bad = gated(store);
    bad.go();
    const digest = await layerDigest((await running({ places: [{ store: bad.store }] })).url);
    const { url } = await running({ places: [{ store: onlyRead(faulty(bad.store, { damaged: [digest] })) }] });
    const answer = await fetch(`${url}/v2/hello/blobs/${digest}`);
    expect(answer.status).toBe(200);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    expect((await fetch(`${url}/v2/hello/blobs/${digest}`)).status).toBe(500);
  });

  it('takes a push in chunks of unknown length', async () => {
    const { url } = await running({ places: [], writable: memoryStore() });
    const begun = await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' });
    const location = begun.headers.get('location') ?? '';
    const body = new ReadableStream({
      start: (controller) => {
        for (const _ of [1, 2, 3]) controller.enqueue(Buffer.from('piece'));
        controller.close();
      },
    });
    expect((await fetch(`${url}${location}`, { method: 'PATCH', body, duplex: 'half' })).status).toBe(202);
    expect((await fetch(`${url}${location}?digest=${sha256('piecepiecepiece')}`, { method: 'PUT' })).status).toBe(201);
  });

  it('asks for a body only when it will take it', async () => {
    const { host } = await running({ places: [], writable: memoryStore() });
    const wire = new Wire(host);
    wire.send(`POST /v2/app/blobs/uploads/?digest=${sha256('abc')} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
    await wire.until(/100 Continue/);
    wire.send('abc');
    await wire.until(/201 Created/);
    const refused = new Wire((await withImage()).host);
    refused.send('PUT /v2/hello/manifests/1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
    const answer = await refused.rest();
    expect(answer).toMatch(/^HTTP\/1.1 405/);
    expect(answer).not.toContain('100 Continue');
  });

  it('says what it has answered, in figures and line by line', async () => {
    const seen: Access[] = [];
    const { url } = await withImage({ metrics: true, onAccess: (access) => seen.push(access) });
    await (await fetch(`${url}/v2/hello/manifests/1`, { headers: { 'user-agent': 'a "test"\tagent' } })).text();
    await (await fetch(`${url}/v2/hello/manifests/2`)).text();
    await eventually(() => seen.length === 2);
    expect(seen.map(({ method, target, status, route, client }) => [method, target, status, route, client])).toEqual([
      ['GET', '/v2/hello/manifests/1', 200, 'manifests', '127.0.0.1'],
      ['GET', '/v2/hello/manifests/2', 404, 'manifests', '127.0.0.1'],
    ]);
    expect(accessLine(seen[0] ?? expect.unreachable())).toMatch(/^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/v2\/hello\/manifests\/1 HTTP\/1\.1" 200 \d+ "-" "a \\x22test\\x22\\x09agent" \d+ms$/);
    const figures = await (await fetch(`${url}/metrics`)).text();
    expect(figures).toContain('oci_tar_http_requests_total{method="GET",route="manifests",status="200"} 1\n');
    expect(figures).toContain('oci_tar_http_requests_total{method="GET",route="manifests",status="404"} 1\n');
    expect((await fetch(`${(await withImage()).url}/metrics`)).status).toBe(404);
  });

  it.each(['127.0.0.1:0', '0', 'localhost:0', '[::1]:0'])('listens at %s for this machine alone', async (listen) => {
    const found = await running({ places: [], listen }).catch((error: unknown) => error);
    // Where there is no IPv6.
    if (found instanceof Error) return expect(found).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(found).toMatchObject({ isLoopback: true });
  });

  it('says when other machines can reach it', async () => {
    expect((await running({ places: [], listen: '0.0.0.0:0' })).isLoopback).toBe(false);
  });

  it.each(['x', '127.0.0.1', '127.0.0.1:65536', '127.0.0.1:-1', '[nothing]:1', 'a b:1', ''])('does not start at %j', async (listen) => {
    await expect(serveRegistry({ places: [], listen })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('does not start where another one is', async () => {
    const { host } = await withImage();
    await expect(serveRegistry({ places: [], listen: host })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a stop', () => {
  it('lets what is under way come to its end, and takes nothing new', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ text: large }] });
    const slow = gated(store);
    const server = await running({ places: [{ store: slow.store }] });
    const digest = await layerDigest(server.url);
    const answer = await fetch(`${server.url}/v2/hello/blobs/${digest}`);
    const stopped = server.stop();
    await expect(fetch(`${server.url}/v2/`)).rejects.toThrow();
    slow.go();
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(digest);
    await stopped;
  });

  it('cuts what takes too long', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ text: large }] });
    const slow = gated(store);
    const server = await running({ places: [{ store: slow.store }] });
    const answer = await fetch(`${server.url}/v2/hello/blobs/${await layerDigest(server.url)}`);
    await server.stop({ grace: 50 });
    await expect(answer.arrayBuffer()).rejects.toThrow();
    slow.go();
    await eventually(() => slow.open() === 0);
  });

  it('does not wait for connections on which nothing is asked', async () => {
    const server = await withImage();
    const wire = new Wire(server.host);
    wire.send('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
    await wire.until(/\{\}$/);
    await server.stop();
    await wire.closed;
  });

  it('leaves nothing of an upload that was under way', async () => {
    const path = folder();
    const store = layoutStore(directoryDriver(path), { mayBeNew: true });
    const server = await running({ places: [], writable: store });
    const begun = await fetch(`${server.url}/v2/app/blobs/uploads/`, { method: 'POST' });
    await fetch(`${server.url}${begun.headers.get('location')}`, { method: 'PATCH', body: 'some bytes' });
    await server.stop();
    await store.close();
    expect(execFileSync('find', [path, '-type', 'f', '-printf', '%f\n'], { encoding: 'utf8' }).split('\n').toSorted()).toEqual(['', 'index.json', 'oci-layout']);
  });
});

describe('a server with a certificate', () => {
  it('speaks HTTPS', async ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    const path = folder();
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', `${path}/key.pem`, '-out', `${path}/cert.pem`], { stdio: 'ignore' });
    const [cert, key] = [readFileSync(`${path}/cert.pem`, 'utf8'), readFileSync(`${path}/key.pem`, 'utf8')];
    const { url } = await withImage({ tls: { cert, key } });
    expect(url).toMatch(/^https:/);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(`${url}/v2/hello/manifests/1`, { ca: cert, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).on('error', reject).end();
    });
    expect(status).toBe(200);
  });

  it('does not start with one that is none', async () => {
    await expect(serveRegistry({ places: [], listen: '127.0.0.1:0', tls: { cert: 'x', key: 'y' } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
