import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { has } from '../interop/peers/tool.ts';
import { dockerEngineStore } from '@oci-tar/core';
import { engineAddress } from '../../packages/core/src/stores/docker-engine/address.ts';
import { connectionFailure } from '../../packages/core/src/stores/docker-engine/failure.ts';
import { folder } from '../cli/support.ts';
import { listed } from '../support/images.ts';
import { FakeEngine } from './fake-engine.ts';

/** A folder as DOCKER_CONFIG, with contexts in it. */
function dockerConfig(contexts: Readonly<Record<string, object>>, config: object = {}, more: Readonly<Record<string, string>> = {}): string {
  const files: Record<string, string> = { 'config.json': JSON.stringify(config), ...more };
  for (const [name, docker] of Object.entries(contexts)) files[`contexts/meta/${idOf(name)}/meta.json`] = JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker } });
  return folder(files);
}

const idOf = (name: string) => createHash('sha256').update(name).digest('hex');

describe('where the engine is', () => {
  const far = { far: { Host: 'tcp://far.example.org:1234', SkipTLSVerify: false }, near: { Host: 'unix:///run/near.sock' } };

  it.each([
    ['nothing is said', {}, {}, {}, 'unix:///var/run/docker.sock'],
    ['DOCKER_HOST says it', { DOCKER_HOST: 'unix:///run/other.sock' }, {}, { currentContext: 'far' }, 'unix:///run/other.sock'],
    ['DOCKER_CONTEXT says it', { DOCKER_CONTEXT: 'near' }, {}, { currentContext: 'far' }, 'unix:///run/near.sock'],
    ['DOCKER_HOST goes before DOCKER_CONTEXT', { DOCKER_CONTEXT: 'near', DOCKER_HOST: 'tcp://a:1' }, {}, {}, 'tcp://a:1'],
    ['the current context says it', {}, {}, { currentContext: 'far' }, 'tcp://far.example.org:1234'],
    ['the current context is the default one', {}, {}, { currentContext: 'default' }, 'unix:///var/run/docker.sock'],
    ['a context is asked for', { DOCKER_HOST: 'tcp://a:1' }, { context: 'near' }, {}, 'unix:///run/near.sock'],
    ['the default context is asked for', { DOCKER_HOST: 'tcp://a:1', DOCKER_CONTEXT: 'near' }, { context: 'default' }, {}, 'tcp://a:1'],
    ['a host is asked for', { DOCKER_HOST: 'tcp://a:1' }, { host: 'tcp://b:2', context: 'near' }, {}, 'tcp://b:2'],
  ])('when %s', async (_, env, options, config, expected) => {
    expect((await engineAddress({ ...options, env: { ...env, DOCKER_CONFIG: dockerConfig(far, config) } })).name).toBe(expected);
  });

  it.each([
    ['unix:///a/b.sock', 'http://localhost/', '/a/b.sock'],
    ['tcp://host', 'http://host:2375/', undefined],
    ['tcp://host:80', 'http://host/', undefined],
    ['tcp://[::1]:99/base/', 'http://[::1]:99/base', undefined],
    ['http://host:5', 'http://host:5/', undefined],
  ])('%s is understood', async (host, base, socketPath) => {
    const address = await engineAddress({ host, env: {} });
    expect([address.base.href, address.socketPath, address.tls]).toEqual([base, socketPath, undefined]);
  });

  it.each(['ssh://me@host', 'npipe:////./pipe/docker', 'fd://', 'unix://', 'tcp://', 'tcp://user:pass@host', 'tcp://host/?a=b', 'docker.sock', ''])('%j is UNSUPPORTED, with a hint', async (host) => {
    await expect(engineAddress({ host, env: {} })).rejects.toMatchObject({ code: 'UNSUPPORTED', hint: expect.any(String) as string });
  });

  it.each(['tcp://me:sesame@host', 'ssh://me:sesame@host', 'me:sesame@host', 'ssh://me:open@sesame@host', 'tcp://me:open/sesame@host', 'me:open:sesame@host'])('%j is refused without repeating the password', async (host) => {
    const error: unknown = await engineAddress({ env: { DOCKER_HOST: host } }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('me@host') as string });
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('sesame');
  });

  it('has TLS where DOCKER_TLS_VERIFY says so, with the files of DOCKER_CERT_PATH', async () => {
    const certs = folder({ 'ca.pem': 'CA', 'cert.pem': 'CERT', 'key.pem': 'KEY' });
    const address = await engineAddress({ env: { DOCKER_HOST: 'tcp://host', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certs } });
    expect(address.base.href).toBe('https://host:2376/');
    expect(address.tls).toEqual({ ca: 'CA', cert: 'CERT', key: 'KEY', verify: true });
    expect((await engineAddress({ env: { DOCKER_HOST: 'tcp://host', DOCKER_TLS: '1', DOCKER_CERT_PATH: certs } })).tls).toMatchObject({ cert: 'CERT', verify: false });
    expect((await engineAddress({ env: { DOCKER_HOST: 'unix:///a', DOCKER_TLS_VERIFY: '1' } })).tls).toBeUndefined();
  });

  it('needs a key where there is a certificate', async () => {
    const certs = folder({ 'cert.pem': 'CERT' });
    await expect(engineAddress({ host: 'tcp://host', env: { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certs } })).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('key.pem') as string });
  });

  it('has the TLS of its context', async () => {
    const config = dockerConfig({ secure: { Host: 'tcp://host:2376' }, blind: { Host: 'tcp://host:2376', SkipTLSVerify: true } }, {}, { [`contexts/tls/${idOf('secure')}/docker/ca.pem`]: 'CA' });
    const env = { DOCKER_CONFIG: config };
    expect((await engineAddress({ context: 'secure', env })).tls).toEqual({ ca: 'CA', verify: true });
    expect((await engineAddress({ context: 'blind', env })).tls).toEqual({ verify: false });
  });

  it('is NOT_FOUND for a context that does not exist, and refused for one that is damaged', async () => {
    await expect(engineAddress({ context: 'none', env: { DOCKER_CONFIG: dockerConfig({}) } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(engineAddress({ env: { DOCKER_CONFIG: dockerConfig({}, { currentContext: 'gone' }) } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(engineAddress({ env: { DOCKER_CONFIG: dockerConfig({}, { currentContext: 7 }) } })).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
    await expect(engineAddress({ context: 'kube', env: { DOCKER_CONFIG: dockerConfig({ kube: {} }) } })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('an engine behind TLS', () => {
  it('is trusted by its authority alone, and shown the certificate of DOCKER_CERT_PATH', async ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    const certs = folder();
    const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', ...subject, '-keyout', join(certs, 'key.pem'), '-out', join(certs, 'cert.pem')], { stdio: 'ignore' });
    const [key, cert] = [readFileSync(join(certs, 'key.pem'), 'utf8'), readFileSync(join(certs, 'cert.pem'), 'utf8')];
    const shown: boolean[] = [];
    const server = createServer({ key, cert, ca: cert, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      shown.push(Object.keys((request.socket as TLSSocket).getPeerCertificate()).length > 0);
      response.writeHead(200, { 'api-version': '1.41' }).end('[]');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const asked = async (path: string) => {
      const store = await dockerEngineStore({ env: { DOCKER_HOST: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: path }, timeout: 2_000 });
      return listed(store).finally(() => store.close());
    };
    try {
      await expect(asked(certs)).rejects.toMatchObject({ code: 'ENGINE', message: expect.stringContaining('certificate') as string });
      expect(await asked(folder({ 'ca.pem': cert, 'cert.pem': cert, 'key.pem': key }))).toEqual([]);
      expect(await asked(folder({ 'ca.pem': cert }))).toEqual([]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    expect(shown).toEqual([true, true, false, false]);
  });
});

describe('an engine that does not answer', () => {
  const failing = async (host: string, timeout = 2_000) => {
    const store = await dockerEngineStore({ host, env: {}, timeout });
    return listed(store).then(
      () => undefined,
      (error: unknown) => error,
    ).finally(() => store.close());
  };

  it('is ENGINE when there is no socket, and when nothing listens on it', async () => {
    expect(await failing(`unix://${folder()}/none.sock`)).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('there is no socket') as string, hint: expect.stringContaining('DOCKER_HOST') as string });
    expect(await failing(`unix://${join(folder({ file: '' }), 'file')}`)).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('nothing answers') as string });
    expect(await failing('tcp://127.0.0.1:1')).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('nothing listens') as string });
  });

  it('is FORBIDDEN, with whom the socket belongs to, where it may not be used', async () => {
    const socketPath = join(folder({ socket: '' }), 'socket');
    const address = { name: `unix://${socketPath}`, base: new URL('http://localhost'), socketPath };
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });
    chmodSync(socketPath, 0o600);
    expect(await connectionFailure(denied, address, undefined)).toMatchObject({ code: 'FORBIDDEN', hint: expect.stringContaining('root') as string });
    if (process.getuid?.() !== 0) return;
    // daemon, in every Linux's /etc/group; and one that is in none.
    for (const [gid, group] of [[1, 'daemon'], [54_321, '54321']] as const) {
      chownSync(socketPath, 0, gid);
      chmodSync(socketPath, 0o660);
      expect(await connectionFailure(denied, address, undefined)).toMatchObject({ hint: expect.stringContaining(`the group ${group}:`) as string });
    }
  });

  it('is TIMEOUT when it says nothing', async () => {
    const engine = await FakeEngine.start({ on: { 'GET /_ping': () => {} } });
    expect(await failing(`unix://${engine.socket}`, 200)).toMatchObject({ code: 'TIMEOUT' });
  });

  it('is ENGINE when what answers is something else', async () => {
    const engine = await FakeEngine.start({ on: { 'GET /images/json': (_request, response) => void response.end('<html>') } });
    expect(await failing(`unix://${engine.socket}`)).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('no answer that is understood') as string });
    const other = await FakeEngine.start({ on: { 'GET /images/json': (_request, response) => void response.end('{"a":1}') } });
    expect(await failing(`unix://${other.socket}`)).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('must be an array') as string });
    const busy = await FakeEngine.start({ on: { 'GET /_ping': (_request, response) => void response.writeHead(503).end('busy') } });
    expect(await failing(`unix://${busy.socket}`)).toMatchObject({ code: 'ENGINE', details: { actual: 503 } });
  });
});

