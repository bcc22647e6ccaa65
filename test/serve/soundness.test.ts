import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { directoryDriver, layoutStore } from '@oci-tar/core';
import type { ByteSource, Descriptor, ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { folder } from '../cli/support.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { faulty } from '../support/multi.ts';
import { answerOf, clientOf, onlyRead, partsOf, sha256 } from './support.ts';
import type { Client } from './support.ts';

const name = 'docker.io/library/hello:1';

/** A place that counts how often each blob is read whole, and changes one bit of some while that is wished. */
async function watched(text: string): Promise<{ readonly client: Client; readonly reads: Map<string, number>; readonly damaged: Set<string>; readonly said: string[]; readonly layer: string; at(now: number): void }> {
  const store = memoryStore();
  await addImages(store, { name, layers: [{ text }] });
  const reads = new Map<string, number>();
  const damaged = new Set<string>();
  const said: string[] = [];
  let now = 0;
  const watching: ImageStore = {
    ...onlyRead(store),
    async open(blob: Descriptor): Promise<ByteSource> {
      const source = await store.open(blob);
      return {
        size: source.size,
        async *read(start = 0, end = source.size) {
          if (start === 0 && end === source.size) reads.set(blob.digest, (reads.get(blob.digest) ?? 0) + 1);
          const isDamaged = damaged.has(blob.digest);
          // In pieces, so that something would go out before the end.
          for (let at = start; at < end; at += 400_000) {
            for await (const run of source.read(at, Math.min(at + 400_000, end))) yield isDamaged && at === start ? run.map((byte, position) => (position === 3 ? byte ^ 1 : byte)) : run;
          }
        },
      };
    },
  };
  const client = await clientOf({ places: [{ store: watching }], onLog: (line) => said.push(line), now: () => now });
  const layer = (await partsOf(client, 'hello')).layers[0]?.digest ?? '';
  return { client, reads, damaged, said, layer, at: (moment) => (now = moment) };
}

const large = 'x'.repeat(2_500_000);

describe.each([['small', 'x'], ['large', large]])('a %s blob', (kind, text) => {
  it('is verified while it is first handed out, and then no more', async () => {
    const { client, reads, layer } = await watched(text);
    for (const turn of [1, 2, 3]) expect(sha256((await client.get(`/v2/hello/blobs/${layer}`)).bytes), String(turn)).toBe(layer);
    expect(client.handler.metrics.text({ uploads: 0, connections: 0 })).toContain('oci_tar_blobs_verified_total 1\n');
    // A small one is read once more, as nothing of it goes out before it is known to be sound.
    expect(reads.get(layer)).toBeLessThanOrEqual(kind === 'small' ? 4 : 3);
  });

  it('is verified whole before a part of it is handed out, once', async () => {
    const { client, reads, layer } = await watched(text);
    for (const range of ['bytes=0-9', 'bytes=5-20', 'bytes=-3']) expect((await client.get(`/v2/hello/blobs/${layer}`, { range })).status).toBe(206);
    expect(reads.get(layer)).toBe(1);
  });

  it('that is damaged is never handed out in part', async () => {
    const { client, damaged, said, layer } = await watched(text);
    damaged.add(layer);
    for (const _ of [1, 2]) {
      const answer = await client.get(`/v2/hello/blobs/${layer}`, { range: 'bytes=0-9' });
      expect([answer.status, answer.codes]).toEqual([500, ['UNKNOWN']]);
    }
    expect(said.filter((line) => line.includes(layer))).not.toEqual([]);
  });

  it('that is damaged is not there for who asks by HEAD, once that is known', async () => {
    const { client, damaged, layer } = await watched(text);
    damaged.add(layer);
    await client.get(`/v2/hello/blobs/${layer}`, { range: 'bytes=0-9' });
    expect((await client.ask('HEAD', `/v2/hello/blobs/${layer}`)).status).toBe(404);
  });

  it('that is damaged is looked at again after a minute, before anything of it is handed out', async () => {
    const { client, damaged, layer, at } = await watched(text);
    damaged.add(layer);
    await client.get(`/v2/hello/blobs/${layer}`, { range: 'bytes=0-9' });
    damaged.clear();
    at(59_000);
    expect((await client.get(`/v2/hello/blobs/${layer}`)).status).toBe(500);
    at(61_000);
    expect(sha256((await client.get(`/v2/hello/blobs/${layer}`)).bytes)).toBe(layer);
    at(0);
  });
});

describe('a damaged blob', () => {
  it('that is large is cut off before its last piece, and refused from then on', async () => {
    const { client, damaged, said, layer } = await watched(large);
    damaged.add(layer);
    const first = await client.handler.handle({ method: 'GET', target: `/v2/hello/blobs/${layer}`, headers: {} });
    expect(first.status).toBe(200);
    let sent = 0;
    const reading = async () => {
      if (first.body === undefined || first.body instanceof Uint8Array) return expect.unreachable();
      for await (const run of first.body) sent += run.byteLength;
    };
    await expect(reading()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(sent).toBeLessThan(Number(first.headers['content-length']));
    expect(said).toEqual([expect.stringContaining(layer)]);
    for (const _ of [1, 2]) expect((await client.get(`/v2/hello/blobs/${layer}`)).status).toBe(500);
    expect(client.handler.metrics.text({ uploads: 0, connections: 0 })).toContain('oci_tar_blobs_damaged_total 1\n');
  });

  it('that is small is refused at once', async () => {
    const { client, damaged, layer } = await watched('x');
    damaged.add(layer);
    expect((await client.get(`/v2/hello/blobs/${layer}`)).status).toBe(500);
  });

  it('is read once for all who ask for a part of it at the same time', async () => {
    const { client, damaged, reads, layer } = await watched(large);
    damaged.add(layer);
    const answers = await Promise.all([1, 2, 3, 4].map(() => client.get(`/v2/hello/blobs/${layer}`, { range: 'bytes=0-9' })));
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 500, 500]);
    expect(reads.get(layer)).toBe(1);
  });

  it('comes from another place that has it sound', async () => {
    const store = memoryStore();
    await addImages(store, { name, layers: [{ text: large }] });
    const { layers } = await partsOf(await clientOf({ places: [{ store }] }), 'hello');
    const digest = layers[0]?.digest ?? '';
    const client = await clientOf({ places: [{ store: onlyRead(faulty(store, { damaged: [digest] })) }, { store: onlyRead(store) }] });
    const failure = await client.get(`/v2/hello/blobs/${digest}`).then(() => 'no failure', (error: unknown) => error);
    expect(failure).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(sha256((await client.get(`/v2/hello/blobs/${digest}`)).bytes)).toBe(digest);
  });

  it('is brought back by a push, also where a file of its name and size lies there', async () => {
    const path = folder();
    const store = layoutStore(directoryDriver(path), { mayBeNew: true });
    const client = await clientOf({ places: [], writable: store });
    await client.pushImage('app', '1', { layers: ['a sound layer'] });
    const digest = sha256('a sound layer');
    const file = `${path}/blobs/${digest.replace(':', '/')}`;
    chmodSync(file, 0o644);
    writeFileSync(file, 'a worse layer');
    expect((await client.get(`/v2/app/blobs/${digest}`)).status).toBe(500);
    expect((await client.ask('HEAD', `/v2/app/blobs/${digest}`)).status).toBe(404);
    await client.pushBlob('app', 'a sound layer');
    expect((await client.get(`/v2/app/blobs/${digest}`)).text).toBe('a sound layer');
    expect(readFileSync(file, 'utf8')).toBe('a sound layer');
    await store.close();
  });
});

describe('a damaged manifest', () => {
  it('is refused each time, and does not hide the others of its repository', async () => {
    const { client, damaged, said, layer } = await watched('x');
    const { digest } = await partsOf(client, 'hello');
    damaged.add(digest);
    const answer = await answerOf(await client.handler.handle({ method: 'GET', target: '/v2/hello/manifests/1', headers: {} }));
    expect([answer.status, answer.codes]).toEqual([500, ['UNKNOWN']]);
    expect(said.join('\n')).toContain(digest);
    expect((await client.get(`/v2/hello/blobs/${layer}`)).status).toBe(200);
  });
});
