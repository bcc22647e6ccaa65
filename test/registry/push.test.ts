import { OciTarError } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, memoryStore } from '../support/images.ts';
import { fail } from '../support/registry-server.ts';
import type { RegistryServer } from '../support/registry-server.ts';
import { imageName, largeText, plain, pull, push, pushed, withRegistry } from './support.ts';
import { copyImage } from '@oci-tar/core';
import { registryStore } from '../../packages/core/src/stores/registry/store.ts';

describe('a push', () => {
  it('sends blobs before manifests, and the tag last', () =>
    withRegistry({}, async (server) => {
      const source = memoryStore();
      await addImages(source, { name: imageName, layers: [{ a: '1' }, { b: '2' }] });
      await push(source, `${server.host}/team/app:1`);
      const puts = server.seen.filter((line) => line.startsWith('PUT'));
      expect(puts.findIndex((line) => line.includes('/manifests/'))).toBe(3);
      expect(puts.at(-1)).toMatch(/manifests\/1$/);
      expect(server.openUploads).toBe(0);
    }));

  it('asks first and sends nothing that is there', () =>
    withRegistry({}, async (server) => {
      const { source, name } = await pushed(server);
      await push(source, name);
      expect(server.count(/^(?:POST|PATCH)/)).toBe(0);
      expect(server.count(/^PUT/)).toBe(1);
    }));

  it('asks for what is there over the connections that it has', () => {
    const sockets = new Set<number | undefined>();
    return withRegistry({ intercept: (request) => !sockets.add(request.socket.remotePort) }, async (server) => {
      const { source, name } = await pushed(server, { layers: Array.from({ length: 20 }, (_, at) => ({ text: `layer ${at}` })) });
      sockets.clear();
      await push(source, name, { connections: 2 });
      expect(server.count(/^HEAD/)).toBeGreaterThan(20);
      expect(sockets.size).toBeLessThanOrEqual(2);
    });
  });

  it.each([['small', 'little'], ['large', largeText(2)]])('of a %s blob that was taken, whose answer was cut off, goes on', (_size, text) => {
    let cut = 0;
    let known: string | undefined;
    let server: RegistryServer | undefined;
    return withRegistry(
      {
        async intercept(request, response, body) {
          const [, digest] = /uploads.*[?&]digest=([^&]+)/.exec(request.url ?? '') ?? [];
          if (request.method !== 'PUT' || digest === undefined || (known !== undefined && digest !== known)) return false;
          known = digest;
          if (cut++ > 0) return fail(response, 404, 'BLOB_UPLOAD_UNKNOWN') === undefined;
          const bytes = await body();
          const id = request.url?.split('?', 1)[0]?.split('/').at(-1) ?? '';
          server?.blobs.set(decodeURIComponent(digest), bytes.byteLength > 0 ? bytes : server.part(id));
          response.destroy();
          return true;
        },
      },
      async (started) => {
        server = started;
        const source = memoryStore();
        await addImages(source, { name: imageName, layers: [{ text }] });
        await push(source, `${started.host}/team/app:1`, { connections: 1 });
        expect(cut).toBe(2);
        await pull(`${started.host}/team/app:1`);
      },
    );
  });

  it('has blobs mounted from a repository of the same registry', () =>
    withRegistry({}, async (server) => {
      const { name } = await pushed(server, { layers: [{ text: largeText(2) }] });
      const from = registryStore(name, plain);
      const target = registryStore(`${server.host}/team/other`, plain);
      // This registry has one shelf for all repositories; by its answers it has not.
      const shelf = [...server.blobs.keys()];
      await copyImage({ source: from, target, reference: name, name: `${server.host}/team/other:1` });
      expect([...server.blobs.keys()]).toEqual(shelf);
      // The config alone is read, to be checked.
      expect(server.count(/^GET .*blobs\/sha256/)).toBe(1);
      await Promise.all([from.close(), target.close()]);
    }));

  it('that was cut off goes on at what the registry has', async () => {
    let cut = false;
    const ranges: (string | undefined)[] = [];
    let server: RegistryServer | undefined;
    await withRegistry(
      {
        async intercept(request, response) {
          if (request.method !== 'PATCH') return false;
          ranges.push(request.headers['content-range']);
          if (cut) return false;
          cut = true;
          // Reads a part, keeps it and closes the connection.
          for await (const chunk of request) {
            server?.keepPart(request.url?.split('/').at(-1) ?? '', chunk as Buffer);
            break;
          }
          response.destroy();
          return true;
        },
      },
      async (started) => {
        server = started;
        const source = memoryStore();
        await addImages(source, { name: imageName, layers: [{ text: largeText(4) }] });
        await push(source, `${started.host}/team/app:1`);
      },
    );
    expect(ranges).toEqual([undefined, expect.stringMatching(/^[1-9]\d*-\d+$/)]);
  });

  it.each([['small', 'little', 'PUT'], ['large', largeText(2), 'PATCH']])('of a %s blob begins anew where the registry gave up what was cut off', async (_size, text, method) => {
    const lost: string[] = [];
    await withRegistry(
      {
        async intercept(request, response) {
          const id = request.url?.split('?', 1)[0]?.split('/').at(-1) ?? '';
          if (lost.includes(id)) return fail(response, 404, 'BLOB_UPLOAD_INVALID') === undefined;
          if (request.method !== method || !(request.url ?? '').includes('/uploads/') || lost.length > 0) return false;
          // As distribution 2: it cannot go on from there, and forgets the upload.
          for await (const _chunk of request) break;
          lost.push(id);
          response.destroy();
          return true;
        },
      },
      async (server) => {
        const source = memoryStore();
        await addImages(source, { name: imageName, layers: [{ text }] });
        await push(source, `${server.host}/team/app:1`);
        expect(server.tags.size).toBe(1);
        expect(server.count(/^POST .*uploads/)).toBe(3);
      },
    );
  });

  it('of a source that turns out damaged is given up: no tag moves, and nothing stays half-sent', () =>
    withRegistry({}, async (server) => {
      const { source, name } = await pushed(server);
      const before = new Map(server.tags);
      await addImages(source, { name: 'docker.io/library/damaged:1', layers: [{ text: largeText(3) }, { small: 'x' }] });
      await expect(push(damaged(source), name, {}, 'docker.io/library/damaged:1')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(server.tags).toEqual(before);
      expect(server.openUploads).toBe(0);
    }));

  it('ends with the reason of its source', () =>
    withRegistry({}, async (server) => {
      const source = memoryStore();
      await addImages(source, { name: imageName, layers: [{ text: largeText(3) }] });
      const failing: ImageStore = { ...source, open: async (blob) => (blob.size > 1_000_000 ? { size: blob.size, read: broken } : source.open(blob)), images: () => source.images(), resolve: (name) => source.resolve(name) };
      await expect(push(failing, `${server.host}/team/app:1`)).rejects.toMatchObject({ code: 'NO_SPACE' });
      expect(server.tags.size).toBe(0);
    }));
});

async function* broken(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(100_000);
  throw new OciTarError('NO_SPACE', 'the disk of the source broke');
}

/** The same store, whose large blobs have one bit changed. */
function damaged(source: ImageStore): ImageStore {
  return {
    name: source.name,
    images: () => source.images(),
    resolve: (name) => source.resolve(name),
    close: () => source.close(),
    async open(blob) {
      const { size, read } = await source.open(blob);
      if (size < 1_000_000) return { size, read };
      return {
        size,
        async *read() {
          let at = 0;
          for await (const chunk of read()) {
            const copy = Uint8Array.from(chunk);
            if (at <= 500_000 && at + copy.length > 500_000) copy[500_000 - at] = (copy[500_000 - at] ?? 0) ^ 1;
            at += copy.length;
            yield copy;
          }
        },
      };
    },
  };
}
