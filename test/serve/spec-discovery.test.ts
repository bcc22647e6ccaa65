import { mediaTypes } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { memoryStore, pushJson } from '../support/images.ts';
import { addDocument, session } from '../support/multi.ts';
import { clientOf, indexType, manifestOf, reading, sha256, writing } from './support.ts';
import type { Client } from './support.ts';

const tagsOf = ['b', 'a', '1.10', '1.9', 'Z'].map((tag) => `docker.io/library/hello:${tag}`);

/** The addresses of all pages, and what is on them. */
async function pages(client: Client, first: string, field: string): Promise<readonly (readonly string[])[]> {
  const found: string[][] = [];
  for (let target: string | undefined = first; target !== undefined; ) {
    const answer = await client.get(target);
    expect(answer.status).toBe(200);
    found.push((answer.json() as Record<string, string[]>)[field] ?? []);
    const [, next] = /^<([^>]+)>; rel="next"$/.exec(answer.headers['link'] ?? '') ?? [];
    target = next;
  }
  return found;
}

describe('listing tags', () => {
  it('gives all of them, sorted', async () => {
    const answer = await (await reading(tagsOf)).get('/v2/hello/tags/list');
    expect(answer.json()).toEqual({ name: 'hello', tags: ['1.10', '1.9', 'Z', 'a', 'b'] });
    expect(answer.headers['link']).toBeUndefined();
  });

  it.each([
    [2, [['1.10', '1.9'], ['Z', 'a'], ['b']]],
    [5, [['1.10', '1.9', 'Z', 'a', 'b']]],
    [100, [['1.10', '1.9', 'Z', 'a', 'b']]],
    [1, [['1.10'], ['1.9'], ['Z'], ['a'], ['b']]],
  ])('gives pages of %i with the address of the next', async (n, expected) => {
    expect(await pages(await reading(tagsOf), `/v2/hello/tags/list?n=${n}`, 'tags')).toEqual(expected);
  });

  it('gives nothing, and no next page, for n=0', async () => {
    const answer = await (await reading(tagsOf)).get('/v2/hello/tags/list?n=0');
    expect([answer.json(), answer.headers['link']]).toEqual([{ name: 'hello', tags: [] }, undefined]);
  });

  it('goes on after any word, there or not', async () => {
    const client = await reading(tagsOf);
    expect((await client.get('/v2/hello/tags/list?last=B')).json()).toMatchObject({ tags: ['Z', 'a', 'b'] });
    expect((await client.get('/v2/hello/tags/list?last=zzz')).json()).toMatchObject({ tags: [] });
  });

  it('gives no more than a page where no number is said', async () => {
    expect(await pages(await reading(tagsOf, { limits: { page: 3 } }), '/v2/hello/tags/list', 'tags')).toEqual([['1.10', '1.9', 'Z'], ['a', 'b']]);
  });

  it.each(['-1', 'x', '1e3', '9999999999', ''])('gives 400 for n=%s', async (n) => {
    const answer = await (await reading(tagsOf)).get(`/v2/hello/tags/list?n=${n}`);
    expect([answer.status, answer.codes]).toEqual([400, ['PAGINATION_NUMBER_INVALID']]);
  });

  it('gives 404 for a repository that is not there', async () => {
    const answer = await (await reading(tagsOf)).get('/v2/other/tags/list');
    expect([answer.status, answer.codes]).toEqual([404, ['NAME_UNKNOWN']]);
  });
});

describe('listing repositories', () => {
  it('gives each once, sorted, in pages', async () => {
    const client = await reading(['docker.io/library/hello:1', 'docker.io/library/hello:2', 'docker.io/team/app:1', 'example.org/b:1']);
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['b', 'hello', 'team/app'] });
    expect(await pages(client, '/v2/_catalog?n=2', 'repositories')).toEqual([['b', 'hello'], ['team/app']]);
  });

  it('gives an empty list where there is nothing', async () => {
    expect((await (await writing()).get('/v2/_catalog')).json()).toEqual({ repositories: [] });
  });
});

describe('listing referrers', () => {
  const subjectText = manifestOf('{}', ['a layer']);
  const subject = { mediaType: mediaTypes.manifest, digest: sha256(subjectText), size: subjectText.length };

  async function withReferrers(): Promise<Client> {
    const client = await writing();
    await client.pushImage('hello', '1');
    for (const type of ['application/spdx+json', 'application/vnd.example.signature']) {
      const { answer } = await client.pushImage('hello', undefined, { layers: [type], fields: { artifactType: type, subject, annotations: { of: type } } });
      expect([answer.status, answer.headers['oci-subject']]).toEqual([201, subject.digest]);
    }
    return client;
  }

  it('gives an index of what refers to a digest, with artifactType and annotations, sorted', async () => {
    const answer = await (await withReferrers()).get(`/v2/hello/referrers/${subject.digest}`);
    expect([answer.status, answer.headers['content-type'], answer.headers['oci-filters-applied']]).toEqual([200, indexType, undefined]);
    const { schemaVersion, mediaType, manifests } = answer.json() as { schemaVersion: number; mediaType: string; manifests: { digest: string; artifactType: string; annotations: object }[] };
    expect([schemaVersion, mediaType]).toEqual([2, indexType]);
    expect(manifests.map(({ artifactType }) => artifactType).toSorted()).toEqual(['application/spdx+json', 'application/vnd.example.signature']);
    expect(manifests.map(({ artifactType, annotations }) => [{ of: artifactType }, annotations]).every(([a, b]) => JSON.stringify(a) === JSON.stringify(b))).toBe(true);
    expect(manifests.map(({ digest }) => digest)).toEqual(manifests.map(({ digest }) => digest).toSorted());
  });

  it('gives those of one type, and says so', async () => {
    const client = await withReferrers();
    const answer = await client.get(`/v2/hello/referrers/${subject.digest}?artifactType=application%2Fspdx%2Bjson`);
    expect(answer.headers['oci-filters-applied']).toBe('artifactType');
    expect((answer.json() as { manifests: { artifactType: string }[] }).manifests.map(({ artifactType }) => artifactType)).toEqual(['application/spdx+json']);
    expect((await client.get(`/v2/hello/referrers/${subject.digest}?artifactType=none`)).json()).toMatchObject({ manifests: [] });
  });

  it.each(['hello', 'other'])('gives an empty index for what nothing refers to, in the repository %s', async (name) => {
    const answer = await (await withReferrers()).get(`/v2/${name}/referrers/sha256:${'0'.repeat(64)}`);
    expect([answer.status, answer.json()]).toEqual([200, { schemaVersion: 2, mediaType: indexType, manifests: [] }]);
  });

  it('gives 400 for what is no digest', async () => {
    const answer = await (await withReferrers()).get('/v2/hello/referrers/1');
    expect([answer.status, answer.codes]).toEqual([400, ['DIGEST_INVALID']]);
  });

  it('finds what refers to something that is not here', async () => {
    const client = await writing();
    const gone = { ...subject, digest: `sha256:${'1'.repeat(64)}` };
    const { digest } = await client.pushImage('hello', undefined, { fields: { subject: gone } });
    expect((await client.get(`/v2/hello/referrers/${gone.digest}`)).json()).toMatchObject({ manifests: [{ digest }] });
  });

  it('finds what an archive lists without a name, and what refers to that in turn', async () => {
    const store = memoryStore();
    const empty = { mediaType: mediaTypes.empty, digest: sha256('{}'), size: 2, data: 'e30=' };
    const image = await addDocument(store, 'docker.io/library/hello:1', mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, config: empty, layers: [] });
    const { digest, size, mediaType } = image.descriptor;
    const about = { digest, size, mediaType };
    const nameless = await addDocument(store, undefined, mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'a/b', config: empty, layers: [], subject: about });
    const deeper = await addDocument(store, undefined, mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'c/d', config: empty, layers: [], subject: { digest: nameless.descriptor.digest, size: nameless.descriptor.size, mediaType } });
    const client = await clientOf({ places: [{ store }] });
    expect((await client.get(`/v2/hello/referrers/${digest}`)).json()).toMatchObject({ manifests: [{ digest: nameless.descriptor.digest, artifactType: 'a/b' }] });
    expect((await client.get(`/v2/hello/referrers/${nameless.descriptor.digest}`)).json()).toMatchObject({ manifests: [{ digest: deeper.descriptor.digest }] });
    expect((await client.get(`/v2/hello/manifests/${deeper.descriptor.digest}`)).status).toBe(200);
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['hello'] });
  });

  it('finds what is listed under the tag of the fallback, by which clients help themselves where there is no API', async () => {
    const store = memoryStore();
    const empty = { mediaType: mediaTypes.empty, digest: sha256('{}'), size: 2, data: 'e30=' };
    const { descriptor } = await addDocument(store, 'docker.io/library/hello:1', mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, config: empty, layers: [] });
    const { digest, size, mediaType } = descriptor;
    const opened = await session(store);
    const { descriptor: listed } = await pushJson(opened, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'a/b', config: empty, layers: [], subject: { digest, size, mediaType } });
    await opened.end();
    await addDocument(store, `docker.io/library/hello:${digest.replace(':', '-')}`, mediaTypes.index, { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [listed] });
    const client = await clientOf({ places: [{ store }] });
    expect((await client.get(`/v2/hello/referrers/${digest}`)).json()).toMatchObject({ manifests: [{ digest: listed.digest, artifactType: 'a/b' }] });
  });

  it('gives what does not fit into 4 MiB on further pages', async () => {
    const client = await writing();
    await client.pushImage('hello', '1');
    const text = 'x'.repeat(900_000);
    for (const at of [1, 2, 3, 4]) await client.pushImage('hello', undefined, { fields: { subject, annotations: { text, at: String(at) } } });
    const found = await pages(client, `/v2/hello/referrers/${subject.digest}`, 'manifests');
    expect(found.length).toBeGreaterThan(1);
    expect(found.flat()).toHaveLength(4);
  });
});
