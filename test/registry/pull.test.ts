import { assertVerified, verifyImages } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { registryStore } from '../../packages/core/src/stores/registry/store.ts';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { fail, send } from '../support/registry-server.ts';
import { imageName, largeText, plain, pull, pushed, withRegistry } from './support.ts';

async function blobsOf(store: ImageStore): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { digest } of store.blobs?.() ?? []) found.push(digest);
  return found.sort();
}

describe('a pull', () => {
  it('brings every blob, verified, and the manifest under its digest', () =>
    withRegistry({}, async (server) => {
      const { source, name } = await pushed(server, { layers: [{ a: '1' }, { b: '2' }] });
      const target = await pull(name);
      expect((await target.resolve(imageName)).descriptor.digest).toBe((await source.resolve(imageName)).descriptor.digest);
      assertVerified(await verifyImages(target, await listed(target)));
      expect(server.count(/^HEAD .*manifests\/1$/)).toBe(1);
    }));

  it('asks for each manifest and blob once, whatever looks at it, over as many connections as it may', () => {
    const sockets = new Set<number | undefined>();
    return withRegistry({ intercept: (request) => !sockets.add(request.socket.remotePort) }, async (server) => {
      const { name } = await pushed(server, { layers: Array.from({ length: 20 }, (_, at) => ({ text: `layer ${at}` })) });
      sockets.clear();
      await pull(name, { connections: 3 });
      const reads = server.seen.filter((line) => line.startsWith('GET'));
      expect(new Set(reads).size).toBe(reads.length);
      expect(sockets.size).toBeLessThanOrEqual(3);
    });
  });

  it('by digest needs no tag', () =>
    withRegistry({}, async (server) => {
      const { source, name } = await pushed(server);
      const { digest } = (await source.resolve(imageName)).descriptor;
      await pull(name.replace(/:1$/, `@${digest}`));
      expect(server.count(/manifests\/1$/)).toBe(0);
    }));

  it('goes on where it was cut off, without reading again what came', async () => {
    let cuts = 0;
    const ranges: (string | undefined)[] = [];
    await withRegistry(
      {
        intercept(request, response) {
          if (request.method !== 'GET' || !request.url?.includes('/blobs/')) return false;
          const bytes = server?.blobs.get(request.url.split('/').at(-1) ?? '');
          if (bytes === undefined || bytes.length < 1_000_000) return false;
          ranges.push(request.headers.range);
          if (cuts++ >= 2) return false;
          const start = Number(/(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
          response.writeHead(start === 0 ? 200 : 206, { 'content-length': bytes.length - start, 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
          response.write(bytes.subarray(start, start + 500_000), () => setTimeout(() => response.destroy(), 20));
          return true;
        },
      },
      async (started) => {
        server = started;
        const { name } = await pushed(started, { layers: [{ text: largeText(3) }] });
        const target = await pull(name);
        assertVerified(await verifyImages(target, await listed(target)));
      },
    );
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1)).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-/), expect.stringMatching(/^bytes=[1-9]\d*-/)]);
  });

  it('from a registry that knows no ranges still gives the part that was asked for', () =>
    withRegistry(
      {
        intercept(request, response) {
          delete request.headers.range;
          void response;
          return false;
        },
      },
      async (server) => {
        const { name } = await pushed(server);
        const bytes = Buffer.from(largeText(1));
        const digest = server.addBlob(bytes);
        const store = registryStore(name, plain);
        const source = await store.open({ mediaType: 'x', digest: digest as `sha256:${string}`, size: bytes.length });
        const chunks: Uint8Array[] = [];
        for await (const chunk of source.read(300_001, 700_002)) chunks.push(chunk);
        await store.close();
        expect(Buffer.concat(chunks).equals(bytes.subarray(300_001, 700_002))).toBe(true);
      },
    ));

  it.each([
    ['sends other bytes of the same size', (bytes: Buffer) => Buffer.alloc(bytes.length, 1), 'DIGEST_MISMATCH'],
    ['sends more bytes', (bytes: Buffer) => Buffer.concat([bytes, bytes]), 'SIZE_MISMATCH'],
    ['sends fewer bytes', (bytes: Buffer) => bytes.subarray(1), 'SIZE_MISMATCH'],
  ])('from a registry that %s keeps nothing', (_, change, code) =>
    withRegistry(
      {
        intercept(request, response) {
          if (request.method !== 'GET' || !request.url?.includes('/blobs/')) return false;
          const bytes = change(server?.blobs.get(request.url.split('/').at(-1) ?? '') ?? Buffer.alloc(0));
          send(response, 200, {}, bytes);
          return true;
        },
      },
      async (started) => {
        server = started;
        const { name } = await pushed(started);
        const target = memoryStore();
        const [before] = await addImages(target, { name: imageName, layers: [{ text: 'before' }] });
        const blobs = await blobsOf(target);
        expect(blobs).not.toEqual([]);
        await expect(pull(name, { retries: 1 }, target)).rejects.toMatchObject({ code });
        expect((await target.resolve(imageName)).descriptor.digest).toBe(before?.descriptor.digest);
        expect(await blobsOf(target)).toEqual(blobs);
      },
    ));

  it('of a manifest that is not what its digest says is refused, also where only the header lies', () =>
    withRegistry({}, async (server) => {
      const { name } = await pushed(server);
      const [digest = ''] = server.manifests.keys();
      const manifest = server.manifests.get(digest);
      if (manifest === undefined) throw new Error('nothing was pushed');
      server.manifests.set(digest, { ...manifest, bytes: Buffer.concat([manifest.bytes, Buffer.from(' ')]) });
      await expect(pull(name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    }));

  it.each(['text/html', 'application/vnd.oci.image.layer.v1.tar', ''])('of a manifest that calls itself %j is refused', (type) =>
    withRegistry({}, async (server) => {
      const { name } = await pushed(server);
      for (const [digest, manifest] of server.manifests) server.manifests.set(digest, { ...manifest, type });
      await expect(pull(name)).rejects.toMatchObject({ code: type === '' ? 'REGISTRY' : 'INVALID_MANIFEST' });
    }));

  it('of a manifest over the limit is refused before it is read, and while it is', () =>
    withRegistry({}, async (server) => {
      const { name } = await pushed(server);
      await expect(pull(name, { manifestLimit: 100 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      const endless = await withRegistry(
        {
          intercept(request, response) {
            if (request.method === 'HEAD') return fail(response, 404, 'UNKNOWN') === undefined;
            response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
            const more = () => {
              while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20)));
            };
            response.on('drain', more);
            more();
            return true;
          },
        },
        async (other) => pull(`${other.host}/team/app:1`).catch((error: unknown) => error),
      );
      expect(endless).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }));

  it('of what is not there says so', () =>
    withRegistry({}, async (server) => {
      await expect(pull(`${server.host}/team/none:1`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }));
});

let server: Parameters<Parameters<typeof withRegistry>[1]>[0] | undefined;
