import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createHttpServer, request as plainRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLoopback } from '../../packages/core/src/stores/registry/endpoint.ts';
import { endpointsOf } from '../../packages/core/src/stores/registry/hosts.ts';
import { pingRegistry, registryStore } from '../../packages/core/src/stores/registry/store.ts';
import { has } from '../interop/peers/tool.ts';
import { fail } from '../support/registry-server.ts';
import type { RegistryServer } from '../support/registry-server.ts';
import { imageName, keeping, plain, pull, push, pushed, withRegistry } from './support.ts';
import { addImages, memoryStore } from '../support/images.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'oci-tar-hosts-'));
  if (!has('openssl')) return;
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:registry.example', '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')], { stdio: 'ignore' });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The same registry behind TLS. Tells which certificates clients showed. */
async function withTls(server: RegistryServer, work: (host: string, shown: readonly boolean[]) => Promise<void>, options: { readonly clients?: boolean } = {}): Promise<void> {
  const shown: boolean[] = [];
  const [hostname = '', port = ''] = server.host.split(':');
  const certificate = { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(join(directory, 'cert.pem')) };
  const front = createTlsServer({ ...certificate, requestCert: options.clients === true, rejectUnauthorized: false }, (incoming, outgoing) => {
    shown.push('getPeerCertificate' in incoming.socket && Object.keys((incoming.socket as { getPeerCertificate(): object }).getPeerCertificate()).length > 0);
    const forward = plainRequest({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  try {
    await work(`127.0.0.1:${(front.address() as AddressInfo).port}`, shown);
  } finally {
    front.closeAllConnections();
    await new Promise((resolve) => front.close(resolve));
  }
}

/** A port that speaks TLS, and says `plainly` to whoever speaks without. Tells what these asked. */
async function withAnswer(host: string, plainly: string, work: (host: string, asked: readonly string[]) => Promise<void>): Promise<void> {
  const [hostname = '', port = ''] = host.split(':');
  const asked: string[] = [];
  const front = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (first) => {
      if (first[0] !== 0x16) {
        asked.push(first.toString().split('\r\n', 1)[0] ?? '');
        socket.end(plainly);
        return;
      }
      const behind = connect(Number(port), hostname).on('error', () => socket.destroy());
      behind.write(first);
      socket.pipe(behind).pipe(socket);
    });
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  try {
    await work(`127.0.0.1:${(front.address() as AddressInfo).port}`, asked);
  } finally {
    await new Promise((resolve) => front.close(resolve));
  }
}

describe('TLS', () => {
  it('is demanded, and an authority that is not known refused, with a hint', ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      await pushed(server);
      await withTls(server, async (host) => {
        await expect(pull(`${host}/team/app:1`)).rejects.toMatchObject({ code: 'REGISTRY', details: { hint: expect.stringContaining('--ca') as string } });
        await pull(`${host}/team/app:1`, { caFile: join(directory, 'cert.pem') });
      });
    });
  });

  it.for([
    ['says that it wants TLS', 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'],
    ['sends one on to TLS', 'HTTP/1.1 308 Permanent Redirect\r\nlocation: https://elsewhere.example/v2/\r\ncontent-length: 0\r\n\r\n'],
    ['says what is not HTTP', '\u0015\u0003\u0003\u0000\u0002\u0002\u0032'],
    ['says nothing', ''],
  ])('is spoken on loopback where a server that is asked without %s', ([, plainly = ''], { skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      await pushed(server);
      await withTls(server, (tls) =>
        withAnswer(tls, plainly, async (host, asked) => {
          // It is not trusted, so it was TLS.
          await expect(pull(`${host}/team/app:1`)).rejects.toMatchObject({ code: 'REGISTRY', details: { hint: expect.stringContaining('--ca') as string } });
          expect(asked).toEqual(['GET /v2/ HTTP/1.1']);
        }),
      );
    });
  });

  it('says which registry a certificate is for that cannot be used', async () => {
    const certDir = mkdtempSync(join(directory, 'broken-'));
    for (const [name, label] of [['me.cert', 'CERTIFICATE'], ['me.key', 'PRIVATE KEY']] as const) writeFileSync(join(certDir, name), `-----BEGIN ${label}-----\nnone\n-----END ${label}-----\n`);
    await expect(pull('registry.invalid/team/app:1', { plainHttp: false, certDir })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { subject: 'registry.invalid' } });
  });

  it('trusts whom the system trusts, as SSL_CERT_FILE or NODE_EXTRA_CA_CERTS says', ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      const { source } = await pushed(server);
      await withTls(server, async (host) => {
        for (const variable of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
          const env = { SSL_CERT_FILE: '/nonexistent', [variable]: join(directory, 'cert.pem') };
          await pull(`${host}/team/app:1`, { plainHttp: false, env });
          await push(source, `${host}/team/other:1`, { plainHttp: false, env });
        }
        await expect(pull(`${host}/team/app:1`, { plainHttp: false, env: { SSL_CERT_FILE: '/nonexistent' } })).rejects.toMatchObject({ code: 'REGISTRY', details: { hint: expect.stringContaining('--ca') as string } });
      });
    });
  });

  it.for(['http', 'https'])('goes through the tunnel of a proxy of %s', (scheme, { skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      await pushed(server);
      await withTls(server, async (host) => {
        const certificate = { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(join(directory, 'cert.pem')) };
        const asked: string[] = [];
        const proxy = scheme === 'https' ? createTlsServer(certificate) : createHttpServer();
        proxy.on('connect', ({ url = '' }: IncomingMessage, near: Duplex) => {
          asked.push(url);
          const far = connect(Number(host.split(':')[1]), '127.0.0.1', () => near.write('HTTP/1.1 200 OK\r\n\r\n'));
          for (const socket of [near, far]) socket.on('error', () => {});
          near.pipe(far).pipe(near);
        });
        await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
        try {
          const env = { HTTPS_PROXY: `${scheme}://127.0.0.1:${(proxy.address() as AddressInfo).port}`, SSL_CERT_FILE: '/nonexistent' };
          await pull('registry.example/team/app:1', { caFile: join(directory, 'cert.pem'), env });
          await pull('registry.example/team/app:1', { env: { ...env, SSL_CERT_FILE: join(directory, 'cert.pem') } });
          await expect(pull('registry.example/team/app:1', { retries: 0, env })).rejects.toMatchObject({ code: 'REGISTRY', message: expect.stringContaining('is not trusted') as string });
          expect(new Set(asked)).toEqual(new Set(['registry.example:443']));
        } finally {
          await new Promise((resolve) => proxy.close(resolve));
        }
      });
    });
  });

  it('is spoken at once where there are certificates for the server', ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      await pushed(server);
      await withTls(server, (tls) =>
        withAnswer(tls, '', async (host, asked) => {
          await pull(`${host}/team/app:1`, { caFile: join(directory, 'cert.pem') });
          expect(asked).toEqual([]);
        }),
      );
    });
  });

  it("takes authorities and a client's certificate from a folder, as docker's certs.d", ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      await pushed(server);
      const certDir = join(directory, 'certs');
      mkdirSync(certDir);
      for (const [from, to] of [['cert.pem', 'ca.crt'], ['cert.pem', 'me.cert'], ['key.pem', 'me.key']] as const) copyFileSync(join(directory, from), join(certDir, to));
      await withTls(
        server,
        async (host, shown) => {
          await pull(`${host}/team/app:1`, { certDir });
          expect(shown.every(Boolean)).toBe(true);
        },
        { clients: true },
      );
      rmSync(join(certDir, 'me.key'));
      await expect(pull(`${server.host}/team/app:1`, { certDir })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  it('is not left for an upload either', ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    const bodies: string[] = [];
    return withRegistry(
      {
        async intercept(request, response) {
          if (request.method === 'PUT' || request.method === 'PATCH') bodies.push(request.url ?? '');
          if (request.method !== 'POST') return false;
          response.writeHead(202, { location: `http://${request.headers.host}${request.url}x` }).end();
          return true;
        },
      },
      (server) =>
        withTls(server, async (host) => {
          const source = memoryStore();
          await addImages(source, { name: imageName });
          await expect(push(source, `${host}/team/app:1`, { caFile: join(directory, 'cert.pem') })).rejects.toMatchObject({ code: 'REGISTRY', message: expect.stringContaining('speaks no TLS') as string });
          expect(bodies).toEqual([]);
        }),
    );
  });

  it('is not done without where it was not asked to be', () =>
    withRegistry({}, async (server) => {
      await pushed(server);
      // By another name of this machine, which is not known to be one.
      await expect(pull(`${server.host.replace('127.0.0.1', 'localhost.localdomain')}/team/app:1`, { retries: 0, timeout: 2000 })).rejects.toMatchObject({ code: expect.stringMatching(/REGISTRY|TIMEOUT/) as string });
      expect(server.seen).toEqual([]);
      await expect(pull(`${server.host}/team/app:1`, { plainHttp: false })).rejects.toMatchObject({ code: 'REGISTRY', details: { hint: expect.stringContaining('--plain-http') as string } });
    }));

  it.each([
    ['localhost', true],
    ['localhost:5000', true],
    ['127.0.0.1:5000', true],
    ['127.9.9.9', true],
    ['[::1]:5000', true],
    ['localhost.example', false],
    ['127.0.0.1.example', false],
    ['10.0.0.1', false],
    ['[::2]:5000', false],
  ])('need not be on %s: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});

describe('hosts.toml', () => {
  function hostsDir(registry: string, text: string): string {
    const folder = mkdtempSync(join(directory, 'hosts-'));
    mkdirSync(join(folder, registry));
    writeFileSync(join(folder, registry, 'hosts.toml'), text);
    return folder;
  }

  it('names mirrors, which are asked first and told what they stand for; then the registry itself', () =>
    withRegistry({}, async (server) => {
      const { name } = await pushed(server);
      await withRegistry({ intercept: (_request, response) => fail(response, 404, 'NAME_UNKNOWN') === undefined }, async (mirror) => {
        const folder = hostsDir(server.host, `server = "http://${server.host}"\n[host."http://${mirror.host}"]\ncapabilities = ["pull", "resolve"]\n`);
        await pull(name, { hostsDir: folder });
        expect(mirror.seen[0]).toBe(`HEAD /v2/team/app/manifests/1?ns=${encodeURIComponent(server.host)}`);
        expect(server.seen.length).toBeGreaterThan(0);
      });
    }));

  it('of a mirror that has the image leaves the registry alone, and shows that none of its credentials', () =>
    withRegistry({}, async (mirror) => {
      await pushed(mirror);
      const headers: (string | undefined)[] = [];
      await withRegistry({ intercept: (request, response) => (headers.push(request.headers['x-team'] as string | undefined), fail(response, 500, 'BROKEN') === undefined) }, async (server) => {
        const folder = hostsDir(server.host, `[host."http://${mirror.host}"]\n[host."http://${mirror.host}".header]\nX-Team = "blue"\n`);
        await pull(`${server.host}/team/app:1`, { hostsDir: folder, credentials: keeping({ [server.host]: { kind: 'password', username: 'me', password: 'sesame' } }) });
        expect(server.seen).toEqual([]);
        expect(headers).toEqual([]);
      });
    }));

  it.each(['the host', 'host_port_', '_default'])('is found in the folder of %s; its headers and paths count', (folder) =>
    withRegistry({}, async (server) => {
      const { name } = await pushed(server);
      const headers = new Set<unknown>();
      await withRegistry(
        {
          intercept(request, response) {
            headers.add(request.headers['x-team']);
            response.writeHead(307, { location: `http://${server.host}${(request.url ?? '').replace('/proxy/hub/', '/v2/')}` }).end();
            return true;
          },
        },
        async (mirror) => {
          const place = folder === '_default' ? folder : folder === 'the host' ? server.host : server.host.replace(/:(\d+)$/, '_$1_');
          const hosts = hostsDir(place, `[host."http://${mirror.host}/proxy/hub"]\noverride_path = true\n[host."http://${mirror.host}/proxy/hub".header]\nX-Team = ["blue", "green"]\n`);
          await pull(name, { hostsDir: hosts });
          expect(mirror.seen[0]).toMatch(/^HEAD \/proxy\/hub\/team\/app\/manifests\/1\?/);
          expect([...headers]).toEqual(['blue, green']);
        },
      );
    }));

  it('of a mirror with TLS is verified as the file says: by its authority, or not at all', ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    return withRegistry({}, async (server) => {
      await pushed(server);
      await withTls(
        server,
        async (mirror, shown) => {
          for (const [lines, works] of [['skip_verify = true', true], [`ca = "${join(directory, 'cert.pem')}"`, true], ['', false]] as const) {
            const folder = hostsDir('registry.invalid', `[host."https://${mirror}"]\nclient = [["${join(directory, 'cert.pem')}", "${join(directory, 'key.pem')}"]]\n${lines}\n`);
            const pulled = pull('registry.invalid/team/app:1', { hostsDir: folder, retries: 0, env: { SSL_CERT_FILE: '/nonexistent' } });
            await (works ? expect(pulled).resolves.toBeDefined() : expect(pulled).rejects.toMatchObject({ code: 'REGISTRY' }));
          }
          expect(shown.every(Boolean)).toBe(true);
        },
        { clients: true },
      );
    });
  });

  it.each([
    ['"5s"', 5000],
    ['"500ms"', 500],
    ['"1m30.5s"', 90_500],
    ['"0s"', undefined],
    ['"soon"', 'INVALID_ARGUMENT'],
    ['"5"', 'INVALID_ARGUMENT'],
    ['5', 'INVALID_ARGUMENT'],
  ])('says how long a connection may take: %s', async (text, expected) => {
    const folder = hostsDir('registry.example', `[host."https://mirror.example"]\ndial_timeout = ${text}\n`);
    const found = endpointsOf('registry.example', { ...plain, hostsDir: folder });
    if (typeof expected === 'string') await expect(found).rejects.toMatchObject({ code: expected });
    else expect((await found)[0]?.dialTimeout).toBe(expected);
  });

  it('of a mirror that may not resolve does not let it say what a tag means', () =>
    withRegistry({}, async (mirror) => {
      await pushed(mirror);
      await withRegistry({}, async (server) => {
        const folder = hostsDir(server.host, `server = "http://${server.host}"\n[host."http://${mirror.host}"]\ncapabilities = ["pull"]\n`);
        await expect(pull(`${server.host}/team/app:1`, { hostsDir: folder })).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(mirror.seen).toEqual([]);
      });
    }));

  it('of a mirror that knows no referrers has the registry asked for them', () =>
    withRegistry({}, async (server) => {
      const { source, name } = await pushed(server);
      await withRegistry({ referrers: false }, async (mirror) => {
        await push(source, `${mirror.host}/team/app:1`);
        const hosts = hostsDir(server.host, `server = "http://${server.host}"\n[host."http://${mirror.host}"]\n`);
        const store = registryStore(name, { ...plain, hostsDir: hosts });
        const { descriptor } = await store.resolve(name);
        for await (const _referrer of store.referrers?.(descriptor) ?? []) break;
        await store.close();
        expect(server.count(/^GET .*\/referrers\//)).toBe(1);
      });
    }));

  it('of mirrors after the registry itself does not have them shown what is tried in a login', () =>
    withRegistry({}, (mirror) =>
      withRegistry({}, async (server) => {
        const folder = hostsDir(server.host, `server = "http://${server.host}"\n[host."http://${server.host}"]\n[host."http://${mirror.host}"]\n`);
        await pingRegistry(server.host, { ...plain, hostsDir: folder });
        expect([server.seen, mirror.seen]).toEqual([['GET /v2/'], []]);
      }),
    ));

  it.each([
    ['"both.pem"'],
    ['["both.pem", "other.pem"]'],
    ['["cert.pem", "key.pem"]'],
    ['[["cert.pem", "key.pem"], ["other.pem", ""]]'],
    ['[["both.pem", ""]]'],
  ])("of a client's certificate may say client = %s", (client) => {
    const files = { 'cert.pem': '-----BEGIN CERTIFICATE-----\n', 'key.pem': '-----BEGIN PRIVATE KEY-----\n', 'other.pem': '-----BEGIN EC PRIVATE KEY-----\nother' };
    const folder = hostsDir('registry.example', `[host."https://mirror.example"]\nclient = ${client}\n`);
    for (const [name, text] of Object.entries({ ...files, 'both.pem': files['cert.pem'] + files['key.pem'] })) writeFileSync(join(folder, 'registry.example', name), text);
    return expect(endpointsOf('registry.example', { ...plain, hostsDir: folder })).resolves.toMatchObject([
      { tls: { client: { cert: expect.stringContaining('BEGIN CERTIFICATE') as string, key: expect.stringMatching(/BEGIN PRIVATE KEY-----\n$/) as string } } },
      { tls: { ca: [] } },
    ]);
  });

  it('may be missing: authorities that lie in its place count', async () => {
    const folder = mkdtempSync(join(directory, 'hosts-'));
    mkdirSync(join(folder, 'registry.example'));
    writeFileSync(join(folder, 'registry.example', 'ca.crt'), '-----BEGIN CERTIFICATE-----\n');
    expect(await endpointsOf('registry.example', { ...plain, hostsDir: folder })).toMatchObject([{ tls: { ca: ['-----BEGIN CERTIFICATE-----\n'] } }]);
  });

  it.each([
    ['= nothing', 'INVALID_ARGUMENT'],
    ['[host."not an address"]', 'INVALID_ARGUMENT'],
    ['[host."https://mirror.example"]\nca = "nowhere.pem"', 'NOT_FOUND'],
  ])('that is damaged (%j) is an error', (text, code) =>
    withRegistry({}, async (server) => {
      await expect(pull(`${server.host}/team/app:1`, { hostsDir: hostsDir(server.host, text) })).rejects.toMatchObject({ code });
    }),
  );
});
