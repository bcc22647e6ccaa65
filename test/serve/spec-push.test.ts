import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { addMulti } from '../support/multi.ts';
import { clientOf, descriptorOf, indexType, locationOf, manifestOf, manifestType, onlyRead, partsOf, sha256, writing } from './support.ts';

const blob = 'content of a blob, '.repeat(20);
const digest = sha256(blob);
const absent = `sha256:${'0'.repeat(64)}`;

describe('pushing a blob', () => {
  it('in two requests: POST, then PUT', async () => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    expect([begun.status, begun.headers['content-length']]).toEqual([202, '0']);
    const done = await client.ask('PUT', `${locationOf(begun)}?digest=${digest}`, { body: blob });
    expect([done.status, locationOf(done), done.headers['docker-content-digest']]).toEqual([201, `/v2/hello/blobs/${digest}`, digest]);
    expect((await client.get(locationOf(done))).text).toBe(blob);
  });

  it('in one request', async () => {
    const client = await writing();
    const done = await client.ask('POST', `/v2/hello/blobs/uploads/?digest=${digest.replace(':', '%3A')}`, { body: blob });
    expect([done.status, locationOf(done)]).toEqual([201, `/v2/hello/blobs/${digest}`]);
    expect((await client.ask('HEAD', locationOf(done))).status).toBe(200);
  });

  it('in one stream: POST, PATCH, PUT', async () => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    const sent = await client.ask('PATCH', locationOf(begun), { body: blob });
    expect([sent.status, sent.headers['range']]).toEqual([202, `0-${blob.length - 1}`]);
    expect((await client.ask('PUT', `${locationOf(sent)}?digest=${digest}`)).status).toBe(201);
    expect((await client.get(`/v2/hello/blobs/${digest}`)).text).toBe(blob);
  });

  it.each([['0-99', '100-199'], ['bytes 0-99/*', 'bytes 100-199/380']])('in chunks with Content-Range %s', async (first, second) => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/', { headers: { 'content-length': '0' } });
    const one = await client.ask('PATCH', locationOf(begun), { body: blob.slice(0, 100), headers: { 'content-range': first } });
    expect([one.status, one.headers['range']]).toEqual([202, '0-99']);
    const two = await client.ask('PATCH', locationOf(one), { body: blob.slice(100, 200), headers: { 'content-range': second } });
    expect([two.status, two.headers['range']]).toEqual([202, '0-199']);
    const done = await client.ask('PUT', `${locationOf(two)}?digest=${digest}`, { body: blob.slice(200), headers: { 'content-range': `200-${blob.length - 1}` } });
    expect(done.status).toBe(201);
    expect((await client.get(locationOf(done))).text).toBe(blob);
  });

  it.each(['100-199', '1-100', 'nonsense', '9-0'])('refuses a first chunk with Content-Range %s, tells where to go on, and takes the right one after it', async (range) => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    const wrong = await client.ask('PATCH', locationOf(begun), { body: blob.slice(0, 100), headers: { 'content-range': range } });
    expect([wrong.status, wrong.headers['range'], wrong.headers['location']]).toEqual([416, '0-0', locationOf(begun)]);
    expect((await client.ask('PATCH', locationOf(begun), { body: blob, headers: { 'content-range': `0-${blob.length - 1}` } })).status).toBe(202);
    expect((await client.ask('PUT', `${locationOf(begun)}?digest=${digest}`)).status).toBe(201);
  });

  it('refuses a chunk that is not as long as it says', async () => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    const answer = await client.ask('PATCH', locationOf(begun), { body: blob, headers: { 'content-range': '0-9' } });
    expect([answer.status, answer.codes]).toEqual([400, ['SIZE_INVALID']]);
  });

  it('tells how much has come', async () => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    expect(await client.get(locationOf(begun))).toMatchObject({ status: 204, headers: { range: '0-0', location: locationOf(begun) } });
    await client.ask('PATCH', locationOf(begun), { body: blob.slice(0, 50) });
    expect(await client.get(locationOf(begun))).toMatchObject({ status: 204, headers: { range: '0-49' } });
  });

  it('goes on after a cut with what had come before it', async () => {
    const client = await writing();
    const location = locationOf(await client.ask('POST', '/v2/hello/blobs/uploads/'));
    const body = (async function* () {
      yield Buffer.from(blob.slice(0, 60));
      throw new Error('the connection was cut');
    })();
    expect((await client.handler.handle({ method: 'PATCH', target: location, headers: {}, body })).status).toBe(500);
    expect((await client.get(location)).headers['range']).toBe('0-59');
    await client.ask('PATCH', location, { body: blob.slice(60), headers: { 'content-range': `60-${blob.length - 1}` } });
    expect((await client.ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
  });

  it('can be given up', async () => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    expect((await client.ask('DELETE', locationOf(begun))).status).toBe(204);
    const after = await client.get(locationOf(begun));
    expect([after.status, after.codes]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
  });

  it.each(['PUT', 'POST'])('refuses by %s what is not of the digest, and nothing of it stays', async (method) => {
    const client = await writing();
    const target = method === 'POST' ? '/v2/hello/blobs/uploads/' : locationOf(await client.ask('POST', '/v2/hello/blobs/uploads/'));
    const answer = await client.ask(method, `${target}?digest=${digest}`, { body: `${blob}!` });
    expect([answer.status, answer.codes]).toEqual([400, ['DIGEST_INVALID']]);
    for (const gone of [digest, sha256(`${blob}!`)]) expect((await client.get(`/v2/hello/blobs/${gone}`)).status).toBe(404);
    for await (const { digest: left } of client.store.blobs?.() ?? []) expect.unreachable(left);
  });

  it.each(['', '?digest=', '?digest=sha256:abc', '?digest=md5:d41d8cd98f00b204e9800998ecf8427e'])('refuses to end an upload with the query "%s"', async (query) => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    const answer = await client.ask('PUT', `${locationOf(begun)}${query}`, { body: blob });
    expect([answer.status, answer.codes]).toEqual([400, ['DIGEST_INVALID']]);
  });

  it.each(['POST', 'PUT'])('takes a digest of sha512 by %s', async (method) => {
    const client = await writing();
    const long = `sha512:${createHash('sha512').update(blob).digest('hex')}`;
    const target = method === 'POST' ? '/v2/hello/blobs/uploads/' : locationOf(await client.ask('POST', '/v2/hello/blobs/uploads/'));
    expect((await client.ask(method, `${target}?digest=${long}`, { body: blob })).status).toBe(201);
    expect((await client.get(`/v2/hello/blobs/${long}`)).text).toBe(blob);
  });

  it('takes an empty blob', async () => {
    const client = await writing();
    const empty = await client.pushBlob('hello', '');
    expect(await client.get(`/v2/hello/blobs/${empty}`)).toMatchObject({ status: 200, text: '' });
  });

  it('refuses an upload of another repository, and one that never was', async () => {
    const client = await writing();
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    expect((await client.ask('PATCH', locationOf(begun).replace('hello', 'other'), { body: blob })).status).toBe(404);
    expect((await client.ask('PATCH', `/v2/hello/blobs/uploads/${'0'.repeat(32)}`, { body: blob })).status).toBe(404);
    expect((await client.ask('PATCH', '/v2/hello/blobs/uploads/..', { body: blob })).status).toBe(404);
  });

  it('refuses a second request while the first still writes', async () => {
    const client = await writing();
    const location = locationOf(await client.ask('POST', '/v2/hello/blobs/uploads/'));
    let go: () => void = () => {};
    const waiting = new Promise<void>((resolve) => (go = resolve));
    const body = (async function* () {
      await waiting;
      yield Buffer.from(blob);
    })();
    const slow = client.handler.handle({ method: 'PATCH', target: location, headers: {}, body });
    expect((await client.ask('PATCH', location, { body: blob })).status).toBe(409);
    go();
    expect((await slow).status).toBe(202);
    expect((await client.ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
  });
});

describe('the limits of uploads', () => {
  it.each([{}, { 'content-length': '10' }])('refuse a blob that is too large, whatever it says: %j', async (headers) => {
    const client = await writing({ limits: { uploadSize: 100 } });
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    const answer = await client.ask('PATCH', locationOf(begun), { body: blob, headers });
    expect([answer.status, answer.codes]).toEqual([413, ['SIZE_INVALID']]);
    expect((await client.get(locationOf(begun))).status).toBe(404);
  });

  it('refuse more uploads at a time than were said', async () => {
    const client = await writing({ limits: { uploads: 2 } });
    const [one] = [await client.ask('POST', '/v2/hello/blobs/uploads/'), await client.ask('POST', '/v2/hello/blobs/uploads/')];
    const third = await client.ask('POST', '/v2/hello/blobs/uploads/');
    expect([third.status, third.codes, third.headers['retry-after']]).toEqual([429, ['TOOMANYREQUESTS'], '10']);
    await client.ask('DELETE', locationOf(one));
    expect((await client.ask('POST', '/v2/hello/blobs/uploads/')).status).toBe(202);
  });

  it('give up what nobody has continued for a time, and what no manifest has come for', async () => {
    let now = 0;
    const client = await writing({ now: () => now, limits: { uploadAge: 1000 } });
    const begun = await client.ask('POST', '/v2/hello/blobs/uploads/');
    await client.pushBlob('hello', blob);
    now = 900;
    expect((await client.get(locationOf(begun))).status).toBe(204);
    now = 1950;
    await client.handler.sweep();
    expect((await client.get(locationOf(begun))).status).toBe(404);
    expect((await client.get(`/v2/hello/blobs/${digest}`)).status).toBe(404);
  });
});

describe('mounting a blob', () => {
  it('takes it from another repository without a byte being sent', async () => {
    const client = await writing();
    await client.pushBlob('hello', blob);
    const answer = await client.ask('POST', `/v2/other/blobs/uploads/?mount=${digest}&from=hello`);
    expect([answer.status, locationOf(answer)]).toEqual([201, `/v2/other/blobs/${digest}`]);
    expect((await client.get(locationOf(answer))).text).toBe(blob);
  });

  it('takes it from an archive that is served beside', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'docker.io/library/base:1' });
    const client = await clientOf({ places: [{ store: onlyRead(store) }], writable: memoryStore() });
    const { layers } = await partsOf(client, 'base');
    const answer = await client.ask('POST', `/v2/other/blobs/uploads/?mount=${layers[0]?.digest}&from=base`);
    expect(answer.status).toBe(201);
    expect((await client.get(locationOf(answer))).bytes.byteLength).toBe(layers[0]?.size);
  });

  it.each(['from=hello', 'from=nowhere', 'from=..%2f..', ''])('begins an upload where there is no such blob (%s)', async (from) => {
    const client = await writing();
    const answer = await client.ask('POST', `/v2/other/blobs/uploads/?mount=${absent}&${from}`);
    expect([answer.status, locationOf(answer).startsWith('/v2/other/blobs/uploads/')]).toEqual([202, true]);
  });

  it('gives 400 for what is no digest', async () => {
    expect((await (await writing()).ask('POST', '/v2/other/blobs/uploads/?mount=x&from=hello')).status).toBe(400);
  });
});

describe('pushing a manifest', () => {
  it('under a tag makes it known by tag and digest, with the same bytes', async () => {
    const client = await writing();
    const { answer, bytes, digest: pushed } = await client.pushImage('team/app', 'v1');
    expect([answer.status, answer.headers['docker-content-digest'], locationOf(answer)]).toEqual([201, pushed, '/v2/team/app/manifests/v1']);
    for (const reference of ['v1', pushed]) expect((await client.get(`/v2/team/app/manifests/${reference}`)).text).toBe(bytes);
    expect(await listed(client.store)).toMatchObject([{ name: 'docker.io/team/app:v1', descriptor: { digest: pushed } }]);
  });

  it('under its digest makes it known by that', async () => {
    const client = await writing();
    const { answer, bytes, digest: pushed } = await client.pushImage('app', undefined);
    expect([answer.status, locationOf(answer)]).toEqual([201, `/v2/app/manifests/${pushed}`]);
    expect((await client.get(`/v2/app/manifests/${pushed}`)).text).toBe(bytes);
    expect((await client.get('/v2/app/tags/list')).json()).toEqual({ name: 'app', tags: [] });
  });

  it('moves a tag; what it was before stays, known by its digest', async () => {
    const client = await writing();
    const first = await client.pushImage('app', 'latest', { layers: ['one'] });
    const second = await client.pushImage('app', 'latest', { layers: ['two'] });
    expect((await client.get('/v2/app/manifests/latest')).text).toBe(second.bytes);
    expect((await client.get(`/v2/app/manifests/${first.digest}`)).text).toBe(first.bytes);
    expect((await client.get('/v2/app/tags/list')).json()).toMatchObject({ tags: ['latest'] });
  });

  it('of an index comes after its children, which need no names of their own from then on', async () => {
    const client = await writing();
    const children = [await client.pushImage('app', undefined, { layers: ['one'] }), await client.pushImage('app', undefined, { layers: ['two'] })];
    const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: children.map(({ bytes }) => descriptorOf(bytes)) });
    expect((await client.putManifest('app', '1', index, indexType)).status).toBe(201);
    for (const child of children) expect((await client.get(`/v2/app/manifests/${child.digest}`)).text).toBe(child.bytes);
    expect((await listed(client.store)).map(({ name }) => name)).toEqual(['docker.io/library/app:1']);
  });

  it('takes along from an archive that is served beside what it refers to there', async () => {
    const store = memoryStore();
    const { of, image } = await addMulti(store, 'docker.io/library/app:1', ['linux/amd64', 'linux/arm64']);
    const target = memoryStore();
    const client = await clientOf({ places: [{ store: onlyRead(store) }], writable: target });
    const index = (await client.get(`/v2/app/manifests/${image.descriptor.digest}`)).text;
    expect((await client.putManifest('app', '2', index, indexType)).status).toBe(201);
    const alone = await clientOf({ places: [{ store: target }] });
    for (const { manifest, layers } of Object.values(of)) {
      expect((await alone.get(`/v2/app/manifests/${manifest.digest}`)).status).toBe(200);
      expect((await alone.get(`/v2/app/blobs/${layers[0]?.digest}`)).status).toBe(200);
    }
  });

  it('tells that it has taken notice of the subject, which need not be here', async () => {
    const client = await writing();
    const subject = { mediaType: manifestType, digest: absent, size: 10 };
    const { answer } = await client.pushImage('app', 'signature', { fields: { subject } });
    expect([answer.status, answer.headers['oci-subject']]).toEqual([201, absent]);
  });

  it('gives 404 where a blob that it needs is not here, and nothing changes', async () => {
    const client = await writing();
    await client.pushBlob('app', '{}');
    const answer = await client.putManifest('app', '1', manifestOf('{}', ['never pushed']));
    expect([answer.status, answer.codes]).toEqual([404, ['MANIFEST_BLOB_UNKNOWN']]);
    expect(await listed(client.store)).toEqual([]);
  });

  it('takes one with a foreign layer that is not here', async () => {
    const client = await writing();
    await client.pushBlob('app', '{}');
    const layers = [{ mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', digest: absent, size: 10, urls: ['https://example.org/layer'] }];
    expect((await client.putManifest('app', '1', manifestOf('{}', [], { layers }))).status).toBe(201);
  });

  it('takes the type from the manifest where the request has none', async () => {
    const client = await writing();
    await client.pushBlob('app', '{}');
    const answer = await client.ask('PUT', '/v2/app/manifests/1', { body: manifestOf('{}', []) });
    expect(answer.status).toBe(201);
    expect((await client.get('/v2/app/manifests/1')).headers['content-type']).toBe(manifestType);
  });

  it.each([
    ['what is no JSON', '{', manifestType],
    ['what is no manifest', '{}', manifestType],
    ['an array', '[]', manifestType],
    ['a type that is not known', '{}', 'text/plain'],
    ['no type at all', '{"schemaVersion":2}', ''],
    ['another type than its own', manifestOf('{}', []), indexType],
    ['an index that is a manifest too', JSON.stringify({ schemaVersion: 2, manifests: [], config: {}, layers: [] }), indexType],
    ['schema 1', '{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
  ])('refuses %s', async (_, text, type) => {
    const client = await writing();
    await client.pushBlob('app', '{}');
    const answer = await client.putManifest('app', '1', text, type);
    expect([answer.status, answer.codes]).toEqual([400, ['MANIFEST_INVALID']]);
  });

  it('refuses what is not of the digest that it is pushed under', async () => {
    const client = await writing();
    await client.pushBlob('app', '{}');
    const answer = await client.putManifest('app', absent, manifestOf('{}', []));
    expect([answer.status, answer.codes]).toEqual([400, ['DIGEST_INVALID']]);
  });

  it('takes one of 4 MiB and refuses a longer one', async () => {
    const client = await writing();
    await client.pushBlob('app', '{}');
    const frame = manifestOf('{}', [], { annotations: { long: '' } }).length;
    const ofLength = (length: number) => manifestOf('{}', [], { annotations: { long: 'x'.repeat(length - frame) } });
    expect((await client.putManifest('app', '1', ofLength(4 * 2 ** 20))).status).toBe(201);
    expect((await client.get('/v2/app/manifests/1')).bytes.byteLength).toBe(4 * 2 ** 20);
    const answer = await client.putManifest('app', '2', ofLength(4 * 2 ** 20 + 1));
    expect([answer.status, answer.codes]).toEqual([413, ['MANIFEST_INVALID']]);
  });

  it('is possible many at a time, and no tag is lost', async () => {
    const client = await writing();
    const tags = Array.from({ length: 12 }, (_, at) => `t${at}`);
    await Promise.all(tags.map((tag) => client.pushImage('app', tag, { layers: [tag] })));
    expect((await client.get('/v2/app/tags/list')).json()).toEqual({ name: 'app', tags: tags.toSorted() });
  });
});
