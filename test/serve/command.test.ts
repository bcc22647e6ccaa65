import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Io } from '../../packages/cli/src/io.ts';
import { run } from '../../packages/cli/src/run.ts';
import { Cli } from '../cli/support.ts';
import { has } from '../interop/peers/tool.ts';
import { MemorySink } from '../support/sinks.ts';
import { sha256 } from './support.ts';

interface Served {
  readonly url: string;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** As Ctrl-C; resolves to the exit status. */
  stop(): Promise<number>;
}

/** Runs `oci-tar serve` inside this process until it is stopped. */
async function serve(cli: Cli, ...args: readonly string[]): Promise<Served> {
  const controller = new AbortController();
  let [stdout, stderr] = ['', ''];
  let told: (text: string) => void = () => {};
  const listening = new Promise<string>((resolve) => (told = resolve));
  const io: Io = {
    version: '1.2.3',
    env: { OCI_TAR_STORE: cli.path('store') },
    signal: controller.signal,
    stdin: { isTerminal: false, bytes: () => expect.unreachable() },
    stdout: { isTerminal: false, write: async (text) => { stdout += text; told(text); }, sink: () => new MemorySink() },
    stderr: { isTerminal: false, write: (text) => void (stderr += text) },
  };
  const status = run(['serve', '--listen', '127.0.0.1:0', ...args.map((arg) => arg.replace(/^@/, `${cli.dir}/`))], io);
  const stop = () => {
    controller.abort();
    return status;
  };
  onTestFinished(async () => void (await stop()));
  const text = await Promise.race([listening, status.then((ended) => expect.unreachable(`ended with ${ended}: ${stderr}`))]);
  const [url = ''] = /https?:\/\/[^\s",]+/.exec(text) ?? [];
  return { url, stdout: () => stdout, stderr: () => stderr, stop };
}

describe('oci-tar serve', () => {
  it('serves an archive until it is stopped, and ends with 0', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    const served = await serve(cli, '@out.tar');
    expect(served.stdout()).toMatch(/^serving 1 repository at http:\/\/127\.0\.0\.1:\d+\n$/);
    expect((await fetch(`${served.url}/v2/hello/manifests/1`)).headers.get('docker-content-digest')).toBe(digest);
    expect(await served.stop()).toBe(0);
    await expect(fetch(served.url)).rejects.toThrow();
  });

  it('serves the local store where nothing is said, and one image where it is named', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.create('other:1');
    expect(await (await fetch(`${(await serve(cli)).url}/v2/_catalog`)).json()).toEqual({ repositories: ['hello', 'other'] });
    expect(await (await fetch(`${(await serve(cli, 'hello:1')).url}/v2/_catalog`)).json()).toEqual({ repositories: ['hello'] });
  });

  it('serves directories whose images have only tags below their name', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci:@My_Images:v1');
    const { url } = await serve(cli, '@My_Images');
    expect((await fetch(`${url}/v2/my-images/manifests/v1`)).status).toBe(200);
    expect((await fetch(`${(await serve(cli, '@My_Images', '--base-name', 'team/app')).url}/v2/team/app/manifests/v1`)).status).toBe(200);
  });

  it('takes pushes into a directory that it makes', async () => {
    const cli = new Cli();
    const served = await serve(cli, '--writable', '@pushed', '--json');
    expect(JSON.parse(served.stdout())).toMatchObject({ url: served.url, writable: true, repositories: 0 });
    await cli.create();
    const host = served.url.replace('http://', '');
    await cli.ok('copy', 'hello:1', `docker://${host}/hello:1`);
    expect(await served.stop()).toBe(0);
    expect((await cli.ok('verify', 'oci:@pushed')).stdout).toContain('ok (1 image');
    expect((await cli.ok('images', '--store', '@pushed')).stdout).toContain('hello');
  });

  it('asks for a password, warns where everybody could come in, and keeps a log', async ({ skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    const cli = new Cli();
    await cli.create();
    writeFileSync(cli.path('users'), `anna:${execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: 'secret\n', encoding: 'utf8' })}`);
    const served = await serve(cli, '--auth-file', '@users', '--access-log', '@access.log', '--metrics');
    expect((await fetch(`${served.url}/v2/`)).status).toBe(401);
    const authorization = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
    expect((await fetch(`${served.url}/metrics`, { headers: { authorization } })).status).toBe(200);
    await served.stop();
    const log = readFileSync(cli.path('access.log'), 'utf8');
    expect(log).toMatch(/^127\.0\.0\.1 - - \[.*\] "GET \/v2\/ HTTP\/1\.1" 401 [^]*\n127\.0\.0\.1 - anna \[.*\] "GET \/metrics HTTP\/1\.1" 200 /);
    expect(log).not.toContain('secret');
    expect((await serve(cli, '--listen', '0.0.0.0:0')).stderr()).toContain('warning: every machine that reaches');
    expect((await serve(cli, '--listen', '0.0.0.0:0', '--auth-file', '@users')).stderr()).toBe('');
  });

  it('tells of a damaged blob', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    const served = await serve(cli, '@out.tar');
    const { config } = (await (await fetch(`${served.url}/v2/hello/manifests/1`)).json()) as { config: { digest: string } };
    const bytes = readFileSync(cli.path('out.tar'));
    const blob = Buffer.from(await (await fetch(`${served.url}/v2/hello/blobs/${config.digest}`)).arrayBuffer());
    expect(sha256(blob)).toBe(config.digest);
    await served.stop();
    const at = bytes.indexOf(blob);
    bytes[at + 3] = (bytes[at + 3] ?? 0) ^ 1;
    writeFileSync(cli.path('bad.tar'), bytes);
    const bad = await serve(cli, '@bad.tar');
    expect((await fetch(`${bad.url}/v2/hello/blobs/${config.digest}`)).status).toBe(500);
    expect(bad.stderr()).toContain(config.digest);
  });

  it.each([
    [['@none.tar'], 3],
    [['missing:1'], 3],
    [['--listen', 'nowhere'], 2],
    [['--tls-cert', '@x'], 2],
    [['--auth-file', '@none'], 3],
    [['--writable', 'oci-archive:x.tar'], 2],
    [['docker://example.org/a'], 2],
    [['-'], 2],
  ])('does not start with %j', async (args, status) => {
    const cli = new Cli();
    expect((await cli.run(['serve', ...args])).status).toBe(status);
  });
});
