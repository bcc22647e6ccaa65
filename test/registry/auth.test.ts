import { OciTarError } from '@oci-tar/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { mayTrustRealm } from '../../packages/core/src/stores/registry/token.ts';
import { fail, send } from '../support/registry-server.ts';
import type { RegistryServer } from '../support/registry-server.ts';
import { keeping, pull, push, pushed, withRegistry } from './support.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { imageName } from './support.ts';

/** A token server: gives `good` to `me:sesame`, or for the refresh token `refresh`, and writes down what it was asked. */
function tokenServer(asked: { url: string; authorization: string | undefined; body: string }[]) {
  return async (request: IncomingMessage, response: ServerResponse, body: () => Promise<Buffer>): Promise<boolean> => {
    const text = (await body()).toString();
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization, body: text });
    const known = request.headers.authorization === `Basic ${Buffer.from('me:sesame').toString('base64')}` || text.includes('refresh_token=refresh');
    send(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ token: known ? 'good' : 'nobody', expires_in: 300 }));
    return true;
  };
}

/** A registry that wants `good` from a token server. */
function guarded(realm: () => string, options: { readonly anonymous?: boolean; readonly scope?: string } = {}) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const { authorization } = request.headers;
    if (authorization === 'Bearer good' || (options.anonymous === true && authorization === 'Bearer nobody')) return false;
    fail(response, 401, 'UNAUTHORIZED', { 'www-authenticate': `Bearer realm="${realm()}",service="a registry",scope="${options.scope ?? 'repository:team/app:pull'}"` });
    return true;
  };
}

async function withGuarded(work: (server: RegistryServer, tokens: RegistryServer, asked: Parameters<typeof tokenServer>[0]) => Promise<void>): Promise<void> {
  const asked: Parameters<typeof tokenServer>[0] = [];
  await withRegistry({ intercept: tokenServer(asked) }, (tokens) => {
    let open = true;
    const guard = guarded(() => `http://${tokens.host}/token`);
    return withRegistry({ intercept: (request, response) => !open && guard(request, response) }, async (server) => {
      await pushed(server);
      open = false;
      await work(server, tokens, asked);
    });
  });
}

describe('signing in', () => {
  it('gets a token with the password once, for the repository and what is to be done there', () =>
    withGuarded(async (server, _tokens, asked) => {
      const credentials = keeping({ [server.host]: { kind: 'password', username: 'me', password: 'sesame' } });
      await pull(`${server.host}/team/app:1`, { credentials });
      expect(asked).toHaveLength(1);
      const url = new URL(asked[0]?.url ?? '', 'http://x');
      expect(Object.fromEntries(url.searchParams)).toEqual({ service: 'a registry', scope: 'repository:team/app:pull', account: 'me' });
      const source = memoryStore();
      await addImages(source, { name: imageName });
      await push(source, `${server.host}/team/app:2`, { credentials });
      expect(new URL(asked[1]?.url ?? '', 'http://x').searchParams.get('scope')).toBe('repository:team/app:pull,push');
    }));

  it('asks for what a registry calls the repository, too: behind a path of its own that may be another name', () => {
    const asked: Parameters<typeof tokenServer>[0] = [];
    return withRegistry({ intercept: tokenServer(asked) }, (tokens) =>
      withRegistry({ intercept: guarded(() => `http://${tokens.host}/token`, { scope: 'repository:hub/team/app:pull' }) }, async (server) => {
        const credentials = keeping({ [server.host]: { kind: 'password', username: 'me', password: 'sesame' } });
        await expect(pull(`${server.host}/team/app:1`, { credentials })).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(new URL(asked[0]?.url ?? '', 'http://x').searchParams.getAll('scope')).toEqual(['repository:team/app:pull', 'repository:hub/team/app:pull']);
      }),
    );
  });

  it('exchanges an identity token, which is in no address', () =>
    withGuarded(async (server, _tokens, asked) => {
      await pull(`${server.host}/team/app:1`, { credentials: keeping({ [server.host]: { kind: 'identity-token', token: 'refresh' } }) });
      expect(asked[0]?.url).toBe('/token');
      expect(asked[0]?.body).toContain('grant_type=refresh_token');
      expect(asked[0]?.authorization).toBeUndefined();
    }));

  it('as nobody is UNAUTHORIZED and says how to log in; the password of a wrong one is in no message', () =>
    withGuarded(async (server) => {
      const name = `${server.host}/team/app:1`;
      await expect(pull(name)).rejects.toMatchObject({ code: 'UNAUTHORIZED', details: { hint: `Log in first: oci-tar login ${server.host}` } });
      const error: unknown = await pull(name, { credentials: keeping({ [server.host]: { kind: 'password', username: 'me', password: 'open-sesame' } }) }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
      expect(JSON.stringify(error) + String(error) + (error instanceof OciTarError ? JSON.stringify(error.details) : '')).not.toMatch(/open-sesame|b3Blbi1zZXNhbWU|good|nobody/);
    }));

  it('at a token server that is busy is tried again; one that refuses is no place to log in to', () => {
    let answers = [503, 429];
    return withRegistry(
      {
        intercept(request, response) {
          const status = answers.shift() ?? 401;
          if (request.url?.startsWith('/token') !== true) return false;
          if (status === 200) send(response, 200, { 'content-type': 'application/json' }, '{"token":"good"}');
          else fail(response, status, 'NO');
          return true;
        },
      },
      (tokens) =>
        withRegistry({ intercept: guarded(() => `http://${tokens.host}/token`) }, async (server) => {
          answers = [503, 429, 200];
          await expect(pull(`${server.host}/team/app:1`)).rejects.toMatchObject({ code: 'NOT_FOUND' });
          expect(tokens.seen).toHaveLength(3);
          await expect(pull(`${server.host}/team/app:1`)).rejects.toMatchObject({ code: 'UNAUTHORIZED', details: { hint: `Log in first: oci-tar login ${server.host}` } });
        }),
    );
  });

  it('with a password alone (basic)', () =>
    withRegistry(
      {
        intercept(request, response) {
          if (request.headers.authorization === `Basic ${Buffer.from('me:sesame').toString('base64')}`) return false;
          fail(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' });
          return true;
        },
      },
      async (server) => {
        const source = memoryStore();
        await addImages(source, { name: imageName });
        const credentials = keeping({ [server.host]: { kind: 'password', username: 'me', password: 'sesame' } });
        await push(source, `${server.host}/team/app:1`, { credentials });
        await pull(`${server.host}/team/app:1`, { credentials });
        await expect(pull(`${server.host}/team/app:1`)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
      },
    ));

  it('to a repository that one may not see is FORBIDDEN', () =>
    withRegistry({ intercept: (_request, response) => fail(response, 403, 'DENIED') === undefined }, async (server) => {
      await expect(pull(`${server.host}/team/app:1`)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }));
});

describe('credentials do not go', () => {
  it.each([
    ['https://registry.example/token', 'registry.example', true],
    ['https://auth.docker.io/token', 'docker.io', true],
    ['https://gitlab.example/jwt/auth', 'registry.gitlab.example', true],
    ['https://evil.example/token', 'registry.example', false],
    ['https://example/token', 'registry.example', false],
    ['https://registry.example.evil.example/token', 'registry.example', false],
    ['https://evilregistry.example/token', 'registry.example', false],
    ['http://registry.example/token', 'registry.example', false],
    ['http://127.0.0.1:5001/token', '127.0.0.1:5000', true],
    ['http://127.0.0.1:5001/token', 'registry.example', false],
  ])('to %s for %s unless that is its own: %s', (realm, registry, trusted) => {
    expect(mayTrustRealm(new URL(realm), registry)).toBe(trusted);
    if (realm.startsWith('https:')) expect(mayTrustRealm(new URL(realm), registry, { tokenHosts: [new URL(realm).hostname] })).toBe(true);
  });

  it('to another host that a registry sends one to, neither as a token nor as a password', () =>
    withGuarded(async (server) => {
      const seen: (string | undefined)[] = [];
      await withRegistry(
        {
          intercept(request, response) {
            seen.push(request.headers.authorization);
            const bytes = server.blobs.get(request.url?.slice(1) ?? '');
            send(response, bytes === undefined ? 404 : 200, {}, bytes);
            return true;
          },
        },
        (other) =>
          withRegistry(
            {
              intercept(request, response) {
                if (!request.url?.includes('/blobs/')) return false;
                // By another name, so that it is another host.
                send(response, 307, { location: `http://localhost:${other.host.split(':')[1]}/${request.url.split('/').at(-1)}` });
                return true;
              },
            },
            async (front) => {
              for (const [digest, manifest] of server.manifests) front.manifests.set(digest, manifest);
              front.tags.set('team/app:1', [...server.manifests.keys()][0] ?? '');
              await pull(`${front.host}/team/app:1`, { credentials: keeping({ [front.host]: { kind: 'bearer-token', token: 'good' } }) });
            },
          ),
      );
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.every((header) => header === undefined)).toBe(true);
    }));
});
