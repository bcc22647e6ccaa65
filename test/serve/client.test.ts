import { copyImage, memoryDriver, verifyImages } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { registryStore } from '../../packages/core/src/stores/registry/store.ts';
import { plain } from '../registry/support.ts';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { addDocument, addMulti } from '../support/multi.ts';
import { running } from './running.ts';
import { onlyRead } from './support.ts';

const name = 'docker.io/library/hello:1';

describe('our own client and a served archive', () => {
  it('pulls an image of several platforms, whole', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, name, ['linux/amd64', 'linux/arm64'], { attestations: true });
    const { host } = await running({ places: [{ store: onlyRead(store) }] });
    const [source, target] = [registryStore(`${host}/hello`, plain), memoryStore(memoryDriver())];
    await copyImage({ source, target, reference: `${host}/hello:1`, name });
    await source.close();
    expect((await listed(target)).map(({ descriptor }) => descriptor.digest)).toEqual([image.descriptor.digest]);
    expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
  });

  it('pushes an image, and pulls from there what it pushed', async () => {
    const [store, kept] = [memoryStore(), memoryStore()];
    const text = Array.from({ length: 300_000 }, (_, at) => String(at)).join(' ');
    const [image] = await addImages(store, { name, layers: [{ text }, { b: '2' }] });
    const { host } = await running({ places: [], writable: kept });
    for (const tag of ['1', '2']) {
      const target = registryStore(`${host}/team/app`, plain);
      await copyImage({ source: store, target, reference: name, name: `${host}/team/app:${tag}` });
      await target.close();
    }
    expect((await listed(kept)).map(({ name: full, descriptor }) => [full, descriptor.digest])).toEqual(['1', '2'].map((tag) => [`docker.io/team/app:${tag}`, image?.descriptor.digest]));
    expect((await verifyImages(kept, await listed(kept))).problems).toEqual([]);
  });

  it('takes along what refers to an image, both ways', async () => {
    const { host } = await running({ places: [], writable: memoryStore() });
    const store = memoryStore();
    const [image] = await addImages(store, { name });
    const { digest = 'sha256:', size = 0, mediaType = '' } = image?.descriptor ?? {};
    const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', size: 2, data: 'e30=' };
    const referrer = await addDocument(store, undefined, mediaType, { schemaVersion: 2, mediaType, artifactType: 'a/b', config: empty, layers: [], subject: { mediaType, digest, size } });
    const there = registryStore(`${host}/team/app`, plain);
    await copyImage({ source: store, target: there, reference: name, name: `${host}/team/app:1`, referrers: true });
    const back = memoryStore();
    const report = await copyImage({ source: there, target: back, reference: `${host}/team/app:1`, name, referrers: true });
    await there.close();
    expect(report.referrers.map(({ descriptor }) => descriptor.digest)).toEqual([referrer.descriptor.digest]);
  });
});
