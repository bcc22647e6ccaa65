import type { Descriptor, ImageStore } from '@oci-tar/core';
import { copyImage } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { registryStore } from '../../packages/core/src/stores/registry/store.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { addCosign, addReferrer, sbomType, signatureType } from '../support/referrers.ts';
import type { RegistryServer } from '../support/registry-server.ts';
import { send } from '../support/registry-server.ts';
import { imageName, plain, withRegistry } from './support.ts';

async function signed(): Promise<{ readonly source: ImageStore; readonly subject: Descriptor }> {
  const source = memoryStore();
  const [image] = await addImages(source, { name: imageName });
  if (image === undefined) throw new Error('no image');
  await addReferrer(source, image.descriptor, { artifactType: signatureType });
  await addReferrer(source, image.descriptor, { artifactType: sbomType });
  return { source, subject: image.descriptor };
}

async function push(source: ImageStore, server: RegistryServer): Promise<void> {
  const target = registryStore(`${server.host}/team/app`, plain);
  await copyImage({ source, target, reference: imageName, name: `${server.host}/team/app:1`, referrers: true }).finally(() => target.close());
}

async function found(server: RegistryServer, subject: Descriptor): Promise<readonly (string | undefined)[]> {
  const store = registryStore(`${server.host}/team/app`, plain);
  const types: (string | undefined)[] = [];
  for await (const { artifactType } of store.referrers?.(subject) ?? []) types.push(artifactType);
  await store.close();
  return types.sort();
}

describe('referrers', () => {
  it('go to a registry that keeps track of subjects, and are listed by its API', () =>
    withRegistry({}, async (server) => {
      const { source, subject } = await signed();
      await push(source, server);
      expect([...server.tags.keys()]).toEqual(['team/app:1']);
      expect(await found(server, subject)).toEqual([sbomType, signatureType].sort());
      expect(server.count(/^GET .*\/referrers\//)).toBe(1);
    }));

  it('are listed under the tag made of the digest where a registry has no such API, beside what is there', () =>
    withRegistry({ referrers: false }, async (server) => {
      const { source, subject } = await signed();
      await push(source, server);
      const tag = `team/app:${subject.digest.replace(':', '-')}`;
      expect([...server.tags.keys()].sort()).toEqual(['team/app:1', tag].sort());
      expect(await found(server, subject)).toEqual([sbomType, signatureType].sort());
      const before = server.tags.get(tag);
      await push(source, server);
      expect(server.tags.get(tag)).toBe(before);
    }));

  it('that are removed go off the list under that tag, and the others stay', () =>
    withRegistry({ referrers: false }, async (server) => {
      const { source, subject } = await signed();
      await push(source, server);
      const store = registryStore(`${server.host}/team/app`, plain);
      for await (const { digest, artifactType } of store.referrers?.(subject) ?? []) if (artifactType === sbomType) await store.remove?.(digest);
      await store.close();
      expect(await found(server, subject)).toEqual([signatureType]);
    }));

  it('that are removed are left to a registry that keeps track of them', () =>
    withRegistry({}, async (server) => {
      const { source, subject } = await signed();
      await push(source, server);
      const store = registryStore(`${server.host}/team/app`, plain);
      server.seen.length = 0;
      for await (const { digest } of store.referrers?.(subject) ?? []) await store.remove?.(digest);
      await store.close();
      expect(server.count(/^PUT /)).toBe(0);
      expect(await found(server, subject)).toEqual([]);
    }));

  it('are looked for under the tag where the API answers with a page for people', () =>
    withRegistry({ referrers: false, intercept: ({ url = '' }, response) => url.includes('/referrers/') && send(response, 200, { 'content-type': 'text/html' }, '<html>') === undefined }, async (server) => {
      const { source, subject } = await signed();
      await push(source, server);
      expect(await found(server, subject)).toEqual([sbomType, signatureType].sort());
    }));

  it("of cosign's kind are found under their tags", () =>
    withRegistry({}, async (server) => {
      const { source, subject } = await signed();
      await addCosign(source, subject, 'docker.io/library/hello');
      await push(source, server);
      expect(await found(server, subject)).toHaveLength(3);
    }));

  it('come back on the way home', () =>
    withRegistry({ referrers: false }, async (server) => {
      const { source, subject } = await signed();
      await push(source, server);
      const from = registryStore(`${server.host}/team/app`, plain);
      const home = memoryStore();
      const report = await copyImage({ source: from, target: home, reference: '1', name: imageName, referrers: true });
      await from.close();
      expect(report.referrers.length).toBeGreaterThan(0);
      const types: (string | undefined)[] = [];
      for await (const { artifactType } of home.referrers?.(subject) ?? []) types.push(artifactType);
      expect(types.sort()).toEqual([sbomType, signatureType].sort());
    }));
});
