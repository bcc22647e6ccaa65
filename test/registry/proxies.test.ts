import { createServer, request as plainRequest } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { OciTarError } from '@oci-tar/core';
import { proxiesIn, proxyFor } from '../../packages/core/src/stores/registry/proxies.ts';
import { pull, pushed, withRegistry } from './support.ts';

/** A proxy that reaches one server whatever it is asked for. Tells what it was asked. */
async function withProxy(host: string, work: (proxy: string, asked: readonly string[]) => Promise<void>): Promise<void> {
  const asked: string[] = [];
  const [hostname = '', port = ''] = host.split(':');
  const proxy = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '');
    asked.push(`${incoming.method} ${url.host} ${incoming.headers['proxy-authorization'] ?? ''}`);
    const forward = plainRequest({ hostname, port, method: incoming.method, path: url.pathname + url.search, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forward);
  });
  proxy.on('connect', ({ url = '' }, socket) => {
    asked.push(`CONNECT ${url}`);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    await work(`127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked);
  } finally {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
}

describe('a proxy', () => {
  it('is asked for what lies elsewhere, with its own password', () =>
    withRegistry({}, async (server) => {
      await pushed(server);
      await withProxy(server.host, async (proxy, asked) => {
        await pull('registry.example/team/app:1', { plainHttp: true, env: { HTTP_PROXY: `http://me:sesame@${proxy}` } });
        expect(new Set(asked.map((line) => line.split(' ').slice(1).join(' ')))).toEqual(new Set([`registry.example ${`Basic ${Buffer.from('me:sesame').toString('base64')}`}`]));
      });
    }));

  it('gives a tunnel to TLS; when it does not, an error names it, and not its password', () =>
    withRegistry({}, (server) =>
      withProxy(server.host, async (proxy, asked) => {
        const error: unknown = await pull('registry.example/team/app:1', { retries: 0, env: { HTTPS_PROXY: `http://me:sesame@${proxy}` } }).catch((reason: unknown) => reason);
        expect(error).toMatchObject({ code: 'REGISTRY', details: { hint: expect.stringContaining(proxy) as string } });
        expect(JSON.stringify(error) + String(error) + (error instanceof OciTarError ? JSON.stringify(error.details) : '')).not.toContain('sesame');
        expect(new Set(asked)).toEqual(new Set(['CONNECT registry.example:443']));
      }),
    ));

  it('that cuts the connection where it is asked for a tunnel is asked as often as any server', async () => {
    let asked = 0;
    const proxy = createTcpServer((socket) => {
      asked += 1;
      socket.on('error', () => {});
      socket.once('data', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const env = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    await expect(pull('registry.example/team/app:1', { retries: 1, env })).rejects.toMatchObject({ code: 'REGISTRY', message: 'registry.example cannot be reached: the connection was cut' });
    expect(asked).toBe(2);
    await new Promise((resolve) => proxy.close(resolve));
  });

  it.each([
    ['https://registry.example/v2/', { HTTP_PROXY: 'proxy:1' }, undefined],
    ['https://registry.example/v2/', { HTTPS_PROXY: 'proxy:1' }, 'http://proxy:1/'],
    ['http://registry.example/v2/', { HTTP_PROXY: 'http://proxy:1', http_proxy: 'http://small:2' }, 'http://small:2/'],
    ['http://localhost:5000/v2/', { HTTP_PROXY: 'http://proxy:1' }, undefined],
    ['https://127.0.0.1:5000/v2/', { HTTPS_PROXY: 'http://proxy:1' }, undefined],
  ])('for %s with %j is %s', (url, env, proxy) => {
    expect(proxyFor(new URL(url), proxiesIn(env))).toBe(proxy);
  });

  it.each([
    ['a.example', '*'],
    ['a.example', 'b.example, *'],
    ['a.example', 'A.Example'],
    ['a.example', 'example'],
    ['a.example', '.example'],
    ['a.example', '*.example'],
    ['a.example:5000', 'a.example:5000'],
    ['a.example', 'a.example:443'],
    ['10.1.2.3:5000', '10.1.2.3'],
    ['10.1.2.3', '192.168.0.0/16,10.0.0.0/8'],
    ['[fd00::1]:5000', '[fd00::1]:5000'],
    ['[fd00::1]', 'fd00::1'],
    ['[fd00::1]', 'fd00::/8'],
  ])('does not stand before %s where NO_PROXY is %s', (host, except) => {
    expect(proxyFor(new URL(`https://${host}/v2/`), proxiesIn({ HTTPS_PROXY: 'proxy:1', NO_PROXY: except }))).toBeUndefined();
  });

  it.each([
    ['a.example', ''],
    ['a.example', ' ,.,*.'],
    ['ba.example', 'a.example'],
    ['a.example', 'a.example.com'],
    ['a.example', 'a.example:5000'],
    ['a.example', '0.0.0.0/0'],
    ['11.0.0.1', '10.0.0.0/8'],
    ['11.10.0.0', '10.0.0.0'],
    ['10.0.0.1', '10.0.0.0/33'],
    ['10.0.0.1', '10.0.0.0/x'],
    ['10.0.0.1', '::/0'],
  ])('stands before %s where NO_PROXY is %j', (host, except) => {
    expect(proxyFor(new URL(`https://${host}/v2/`), proxiesIn({ HTTPS_PROXY: 'proxy:1', NO_PROXY: except }))).toBe('http://proxy:1/');
  });

  it('is not asked for what NO_PROXY lists', () =>
    withRegistry({}, (server) =>
      withProxy(server.host, async (proxy, asked) => {
        await expect(pull('registry.invalid/team/app:1', { plainHttp: true, retries: 0, env: { HTTP_PROXY: `http://${proxy}`, NO_PROXY: '.invalid' } })).rejects.toMatchObject({ code: 'REGISTRY' });
        expect(asked).toEqual([]);
      }),
    ));

  it.each(['socks5://me:sesame@proxy:1', 'me:sesame@proxy:x'])('that is none is INVALID_ARGUMENT, without saying what it is: %s', (value) => {
    let error: unknown;
    try {
      proxiesIn({ HTTPS_PROXY: value });
    } catch (reason) {
      error = reason;
    }
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(String(error)).not.toContain('sesame');
  });
});
