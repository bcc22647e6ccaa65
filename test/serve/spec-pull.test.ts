import { describe, expect, it } from 'vitest';
import { memoryStore } from '../support/images.ts';
import { addMulti } from '../support/multi.ts';
import { clientOf, indexType, manifestType, partsOf, reading, sha256 } from './support.ts';

const hello = 'docker.io/library/hello:1';
const absent = `sha256:${'0'.repeat(64)}`;

describe('the support of the API', () => {
  it.each(['/v2/', '/v2'])('is told at %s', async (path) => {
    const client = await reading([hello]);
    const answer = await client.get(path);
    expect(answer.status).toBe(200);
    expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0');
  });

  it('is told to a HEAD without a body', async () => {
    const answer = await (await reading([hello])).ask('HEAD', '/v2/');
    expect([answer.status, answer.bytes.byteLength, answer.headers['content-length']]).toEqual([200, 0, '2']);
  });
});

describe('pulling manifests', () => {
  it('works by tag and by digest, with the same bytes', async () => {
    const client = await reading([hello]);
    const byTag = await client.get('/v2/hello/manifests/1');
    const digest = sha256(byTag.bytes);
    expect(byTag.status).toBe(200);
    expect(byTag.headers).toMatchObject({ 'content-type': manifestType, 'docker-content-digest': digest, 'content-length': String(byTag.bytes.byteLength), etag: `"${digest}"` });
    const byDigest = await client.get(`/v2/hello/manifests/${digest}`);
    expect(byDigest).toMatchObject({ status: 200, text: byTag.text });
    expect(await client.get(`/v2/hello/manifests/${digest.replace(':', '%3A')}`)).toMatchObject({ status: 200, text: byTag.text });
  });

  it('HEAD gives the headers of GET and nothing more', async () => {
    const client = await reading([hello]);
    const [get, head] = [await client.get('/v2/hello/manifests/1'), await client.ask('HEAD', '/v2/hello/manifests/1')];
    expect(head.headers).toEqual(get.headers);
    expect([head.status, head.bytes.byteLength]).toEqual([200, 0]);
  });

  it('of an index and its children works by digest', async () => {
    const store = memoryStore();
    const { of } = await addMulti(store, hello, ['linux/amd64', 'linux/arm64'], { attestations: true });
    const client = await clientOf({ places: [{ store }] });
    expect((await client.get('/v2/hello/manifests/1')).headers['content-type']).toBe(indexType);
    for (const { manifest, attestation } of Object.values(of)) {
      expect((await client.get(`/v2/hello/manifests/${manifest.digest}`)).status).toBe(200);
      expect((await client.get(`/v2/hello/manifests/${attestation?.manifest.digest}`)).status).toBe(200);
      expect((await client.get(`/v2/hello/blobs/${attestation?.layer.digest}`)).status).toBe(200);
    }
  });

  it.each([
    ['a tag that is not there', '/v2/hello/manifests/2', 'MANIFEST_UNKNOWN'],
    ['a digest that is not there', `/v2/hello/manifests/${absent}`, 'MANIFEST_UNKNOWN'],
    ['a repository that is not there', '/v2/other/manifests/1', 'NAME_UNKNOWN'],
    ['what could not be a tag', '/v2/hello/manifests/-1', 'MANIFEST_UNKNOWN'],
  ])('gives 404 for %s', async (_, path, code) => {
    const answer = await (await reading([hello])).get(path);
    expect([answer.status, answer.codes]).toEqual([404, [code]]);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('gives 404 for a blob, which is no manifest', async () => {
    const client = await reading([hello]);
    const { layers } = await partsOf(client, 'hello');
    expect((await client.get(`/v2/hello/manifests/${layers[0]?.digest}`)).status).toBe(404);
  });

  it.each(['*/*', manifestType, `${indexType}, ${manifestType};q=0.5`, 'application/*', `${manifestType.toUpperCase()}`])('is done for a client that accepts %s', async (accept) => {
    expect((await (await reading([hello])).get('/v2/hello/manifests/1', { accept })).status).toBe(200);
  });

  it.each([indexType, 'application/vnd.docker.distribution.manifest.v2+json', 'text/*', `${manifestType};q=0`])('gives 404, and the type, to a client that accepts only %s', async (accept) => {
    const answer = await (await reading([hello])).get('/v2/hello/manifests/1', { accept });
    expect([answer.status, answer.codes]).toEqual([404, ['MANIFEST_UNKNOWN']]);
    expect(answer.text).toContain(manifestType);
  });

  it('gives 304 to who has it already', async () => {
    const client = await reading([hello]);
    const { digest } = await partsOf(client, 'hello');
    for (const known of [`"${digest}"`, `W/"${digest}"`, '*', `"other", "${digest}"`, digest]) {
      const answer = await client.get('/v2/hello/manifests/1', { 'if-none-match': known });
      expect([answer.status, answer.bytes.byteLength], known).toEqual([304, 0]);
    }
    expect((await client.get('/v2/hello/manifests/1', { 'if-none-match': '"other"' })).status).toBe(200);
  });
});

describe('pulling blobs', () => {
  it('works by digest', async () => {
    const client = await reading([hello]);
    const { config, layers } = await partsOf(client, 'hello');
    for (const { digest, size } of [config, ...layers]) {
      const answer = await client.get(`/v2/hello/blobs/${digest}`);
      expect([answer.status, sha256(answer.bytes)]).toEqual([200, digest]);
      expect(answer.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'content-length': String(size), 'docker-content-digest': digest, 'accept-ranges': 'bytes', etag: `"${digest}"` });
      const head = await client.ask('HEAD', `/v2/hello/blobs/${digest}`);
      expect([head.status, head.headers, head.bytes.byteLength]).toEqual([200, answer.headers, 0]);
    }
  });

  it.each([
    ['a blob that is not there', `/v2/hello/blobs/${absent}`, 404, 'BLOB_UNKNOWN'],
    ['a repository that is not there', `/v2/other/blobs/${absent}`, 404, 'NAME_UNKNOWN'],
    ['a digest that is none', '/v2/hello/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
  ])('tells of %s', async (_, path, status, code) => {
    const answer = await (await reading([hello])).get(path);
    expect([answer.status, answer.codes]).toEqual([status, [code]]);
  });

  it('gives 404 for a blob that belongs to another repository', async () => {
    const client = await reading([hello, 'docker.io/library/other:1']);
    const { layers } = await partsOf(client, 'other');
    expect((await client.get(`/v2/other/blobs/${layers[0]?.digest}`)).status).toBe(200);
    expect((await client.get(`/v2/hello/blobs/${layers[0]?.digest}`)).status).toBe(404);
  });

  it('gives 304 to who has it already', async () => {
    const client = await reading([hello]);
    const { config } = await partsOf(client, 'hello');
    const answer = await client.get(`/v2/hello/blobs/${config.digest}`, { 'if-none-match': `"${config.digest}"` });
    expect([answer.status, answer.bytes.byteLength]).toEqual([304, 0]);
  });

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=10-', 10, undefined],
    ['bytes=-7', -7, undefined],
    ['bytes=0-99999999999999999999', 0, undefined],
    ['bytes=-99999999999999999999', 0, undefined],
    ['BYTES = 3-3', 3, 4],
  ])('in part: %s', async (range, start, end) => {
    const client = await reading([hello]);
    const { digest } = (await partsOf(client, 'hello')).config;
    const whole = await client.get(`/v2/hello/blobs/${digest}`);
    const part = await client.get(`/v2/hello/blobs/${digest}`, { range });
    const expected = whole.bytes.subarray(start, end);
    expect([part.status, Buffer.compare(part.bytes, expected)]).toEqual([206, 0]);
    const from = start < 0 ? whole.bytes.byteLength + start : start;
    expect(part.headers['content-range']).toBe(`bytes ${from}-${from + expected.byteLength - 1}/${whole.bytes.byteLength}`);
    expect(part.headers['content-length']).toBe(String(expected.byteLength));
  });

  it.each(['bytes=100000-', 'bytes=-0', 'bytes=99999999999999999999-'])('gives 416 for %s, which lies behind its end', async (range) => {
    const client = await reading([hello]);
    const { config } = await partsOf(client, 'hello');
    const answer = await client.get(`/v2/hello/blobs/${config.digest}`, { range });
    expect([answer.status, answer.headers['content-range']]).toEqual([416, `bytes */${config.size}`]);
  });

  it.each(['bytes=5-2', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b', 'bytes=-', 'bytes=--5', 'bytes=0x1-2'])('sends the whole for %s', async (range) => {
    const client = await reading([hello]);
    const { config } = await partsOf(client, 'hello');
    const answer = await client.get(`/v2/hello/blobs/${config.digest}`, { range });
    expect([answer.status, answer.bytes.byteLength]).toEqual([200, config.size]);
  });

  it('in part only if it is still the same', async () => {
    const client = await reading([hello]);
    const { digest } = (await partsOf(client, 'hello')).config;
    expect((await client.get(`/v2/hello/blobs/${digest}`, { range: 'bytes=0-1', 'if-range': `"${digest}"` })).status).toBe(206);
    expect((await client.get(`/v2/hello/blobs/${digest}`, { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
  });
});

describe('a registry that is only read', () => {
  it.each([
    ['POST', '/v2/hello/blobs/uploads/'],
    ['PUT', '/v2/hello/manifests/1'],
    ['PATCH', `/v2/hello/blobs/uploads/${'a'.repeat(32)}`],
    ['DELETE', '/v2/hello/manifests/1'],
    ['DELETE', `/v2/hello/blobs/${absent}`],
  ])('does not take %s %s', async (method, path) => {
    const answer = await (await reading([hello])).ask(method, path, { body: '{}' });
    expect([answer.status, answer.codes]).toEqual([405, ['UNSUPPORTED']]);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])('does not take %s of what can only be read', async (method) => {
    const answer = await (await reading([hello])).ask(method, '/v2/hello/tags/list');
    expect([answer.status, answer.headers['allow']?.includes('GET')]).toEqual([405, true]);
  });
});
