import { describe, expect, it } from 'vitest';
import { fail, send } from '../support/registry-server.ts';
import { imageName, plain, pull, push, pushed, withRegistry } from './support.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { listTags, registryStore } from '../../packages/core/src/stores/registry/store.ts';

describe('a registry that is busy', () => {
  // Which is not asked first what it speaks: each request counts.
  const known = { plainHttp: true };

  it.each([429, 500, 502, 503, 504])('with %i is asked again', (status) => {
    let left = 0;
    return withRegistry({ intercept: (request, response) => left-- > 0 && fail(response, status, 'TOOMANYREQUESTS', { 'retry-after': '0' }) === undefined && request !== undefined }, async (server) => {
      const { name } = await pushed(server);
      left = 2;
      await pull(name, known);
      expect(server.seen.filter((line) => line === server.seen[0])).toHaveLength(3);
    });
  });

  it('is not asked for ever, and what it said is told', () =>
    withRegistry({ intercept: (_request, response) => fail(response, 429, 'TOOMANYREQUESTS', { 'retry-after': '0' }) === undefined }, async (server) => {
      await expect(pull(`${server.host}/team/app:1`, { ...known, retries: 2 })).rejects.toMatchObject({ code: 'REGISTRY', message: expect.stringContaining('429') as string });
      expect(server.seen).toHaveLength(3);
    }));

  it('for an hour is not waited for', () =>
    withRegistry({ intercept: (_request, response) => fail(response, 503, 'UNAVAILABLE', { 'retry-after': '3600' }) === undefined }, async (server) => {
      await expect(pull(`${server.host}/team/app:1`, known)).rejects.toMatchObject({ code: 'REGISTRY' });
      expect(server.seen).toHaveLength(1);
    }));

  it.each([400, 404, 405, 501])('is not asked again after a %i', (status) =>
    withRegistry({ intercept: (_request, response) => fail(response, status, 'NO') === undefined }, async (server) => {
      await expect(pull(`${server.host}/team/app@sha256:${'ab'.repeat(32)}`)).rejects.toMatchObject({ code: status === 404 ? 'NOT_FOUND' : 'REGISTRY' });
      expect(new Set(server.seen).size).toBe(server.seen.length);
    }),
  );
});

describe('a registry that', () => {
  it('never answers is a TIMEOUT', () =>
    withRegistry({ intercept: () => new Promise<boolean>(() => {}) }, async (server) => {
      await expect(pull(`${server.host}/team/app:1`, { timeout: 300, retries: 0 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    }));

  it('falls silent in the middle of a blob is a TIMEOUT', () =>
    withRegistry(
      {
        intercept(request, response) {
          if (request.method !== 'GET' || !request.url?.includes('/blobs/')) return false;
          response.writeHead(200).write('x');
          return true;
        },
      },
      async (server) => {
        const { name } = await pushed(server);
        await expect(pull(name, { timeout: 300, retries: 0 })).rejects.toMatchObject({ code: expect.stringMatching(/TIMEOUT|SIZE_MISMATCH/) as string });
      },
    ));

  it('is waited for stops to be when the signal says so', () =>
    withRegistry({ intercept: () => new Promise<boolean>(() => {}) }, async (server) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error('enough')), 100);
      await expect(pull(`${server.host}/team/app:1`, { signal: controller.signal })).rejects.toThrow('enough');
    }));

  it('sends one from address to address is given up', () =>
    withRegistry({ intercept: (request, response) => send(response, 307, { location: `${request.url}x` }) === undefined }, async (server) => {
      await expect(pull(`${server.host}/team/app:1`)).rejects.toMatchObject({ code: 'REGISTRY' });
      expect(server.seen.length).toBeLessThan(20);
    }));

  it('warns is heard once', () => {
    const warnings: string[] = [];
    return withRegistry(
      {
        intercept(_request, response) {
          response.setHeader('warning', '299 - "this image is \\"old\\""');
          return false;
        },
      },
      async (server) => {
        const { name } = await pushed(server);
        await pull(name, { onWarning: (text) => warnings.push(text) });
        expect(warnings).toEqual(['this image is "old"']);
      },
    );
  });

  it('is not there says so', async () => {
    const host = await withRegistry({}, async (server) => server.host);
    await expect(pull(`${host}/team/app:1`)).rejects.toMatchObject({ code: 'REGISTRY', message: expect.stringContaining('nothing listens') as string });
  });
});

describe('a list in pages', () => {
  const page = (tags: readonly string[], link?: string) => (response: Parameters<typeof send>[0]) =>
    send(response, 200, { 'content-type': 'application/json', ...(link === undefined ? {} : { link: `<${link}>; rel="next"` }) }, JSON.stringify({ name: 'team/app', tags }));

  async function tagsOf(pages: Readonly<Record<string, (response: Parameters<typeof send>[0]) => void>>): Promise<readonly string[]> {
    return withRegistry(
      {
        intercept(request, response) {
          (pages[request.url ?? ''] ?? page([]))(response);
          return true;
        },
      },
      async (server) => {
        const tags: string[] = [];
        for await (const tag of listTags(`${server.host}/team/app`, plain)) tags.push(tag);
        return tags;
      },
    );
  }

  it('is followed to its end', async () => {
    expect(await tagsOf({ '/v2/team/app/tags/list': page(['a', 'b'], '/v2/team/app/tags/list?last=b'), '/v2/team/app/tags/list?last=b': page(['c']) })).toEqual(['a', 'b', 'c']);
  });

  it.each(['/v2/team/app/tags/list?again', 'http://other.example/v2/team/app/tags/list', 'file:///etc/passwd'])('is not followed in a circle or to another host (%s)', async (link) => {
    await expect(tagsOf({ '/v2/team/app/tags/list': page(['a'], link), '/v2/team/app/tags/list?again': page(['b'], link) })).rejects.toMatchObject({ code: 'REGISTRY' });
  });

  it('of a repository gives its images', () =>
    withRegistry({}, async (server) => {
      const source = memoryStore();
      await addImages(source, { name: imageName });
      for (const tag of ['1', '2', '3']) await push(source, `${server.host}/team/app:${tag}`);
      const store = registryStore(`${server.host}/team/app`, plain);
      const names: (string | undefined)[] = [];
      for await (const { name } of store.images()) names.push(name);
      await store.close();
      expect(names).toEqual(['1', '2', '3'].map((tag) => `${server.host}/team/app:${tag}`));
    }));
});
