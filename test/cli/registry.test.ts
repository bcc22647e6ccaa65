import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fail } from '../support/registry-server.ts';
import type { RegistryServer, RegistryServerOptions } from '../support/registry-server.ts';
import { withRegistry } from '../registry/support.ts';
import { Cli } from './support.ts';

/** A command line whose user has a home of its own, with an image, beside a registry. */
async function withCli(work: (cli: Cli, server: RegistryServer) => Promise<void>, options: RegistryServerOptions = {}): Promise<void> {
  const cli: Cli = new Cli();
  await cli.create();
  await withRegistry(options, (server) => work(new HomeCli(cli.dir), server));
}

/** The same folder, with HOME in it. */
class HomeCli extends Cli {
  readonly #home: string;

  constructor(dir: string) {
    super();
    this.#home = dir;
  }

  override path(name: string): string {
    return `${this.#home}/${name}`;
  }

  override run(args: readonly string[], options: Parameters<Cli['run']>[1] = {}): ReturnType<Cli['run']> {
    return super.run(
      args.map((arg) => arg.replace(/(^|:)@/, `$1${this.#home}/`)),
      { ...options, env: { OCI_TAR_STORE: this.path('store'), HOME: this.#home, ...options.env } },
    );
  }
}

describe('a registry as a place', () => {
  it('takes images from the store and archives, and gives them back under the same digest', () =>
    withCli(async (cli, server) => {
      const at = `docker://${server.host}/team/app`;
      await cli.ok('copy', 'hello:1', `${at}:1`);
      await cli.ok('export', `${at}:1`, '@out.tar');
      await cli.ok('copy', '@out.tar', `${at}:2`);
      await cli.ok('copy', `${at}:2`, 'store:pulled:1');
      const images = (await cli.json('images')) as { digest: string }[];
      expect(new Set(images.map(({ digest }) => digest)).size).toBe(1);
      expect((await cli.ok('tags', at)).stdout).toBe('1\n2\n');
      expect((await cli.run(['verify', `${at}:1`])).status).toBe(0);
      expect(Buffer.from((await cli.ok('cat', `${at}:1`, '/hello.sh')).bytes).toString()).toContain('echo hello');
      expect((await cli.ok('ls', `${at}:1`)).stdout).toBe('/hello.sh\n');
      expect(await cli.json('inspect', `${at}:1`)).toMatchObject({ digest: images[0]?.digest });
    }));

  it('is asked once which image a tag stands for', () =>
    withCli(async (cli, server) => {
      const at = `docker://${server.host}/team/app`;
      await cli.ok('copy', 'hello:1', `${at}:1`);
      server.seen.length = 0;
      await cli.ok('copy', `${at}:1`, 'store:pulled:1');
      expect(server.count(/manifests\/1$/)).toBe(1);
    }));

  it('loses a tag by rm, and says so where it cannot', () =>
    withCli(async (cli, server) => {
      const at = `docker://${server.host}/team/app`;
      await cli.ok('copy', 'hello:1', `${at}:1`);
      await cli.ok('copy', 'hello:1', `${at}:2`);
      await cli.ok('rm', `${at}:1`);
      expect((await cli.ok('tags', at)).stdout).toBe('2\n');
      expect((await cli.run(['rm', `${at}:1`])).status).toBe(3);
    }));

  it('where only digests are removed is not asked to remove all tags by one', () =>
    withCli(
      async (cli, server) => {
        await cli.ok('copy', 'hello:1', `docker://${server.host}/team/app:1`);
        const outcome = await cli.run(['rm', `docker://${server.host}/team/app:1`]);
        expect(outcome).toMatchObject({ status: 7, stderr: expect.stringMatching(/oci-tar rm docker:\/\/\S+\/team\/app@sha256:/) as string });
        expect(server.count(/^DELETE .*sha256/)).toBe(0);
      },
      { intercept: (request, response) => request.method === 'DELETE' && fail(response, 400, 'DIGEST_INVALID') === undefined },
    ));

  it('that is not there, or has no such image, says what was asked for', () =>
    withCli(async (cli, server) => {
      expect(await cli.run(['copy', `docker://${server.host}/none:1`, 'store:x:1'])).toMatchObject({ status: 3, stderr: expect.stringContaining('none') as string });
      const { host } = server;
      await server.stop();
      const gone = await cli.run(['copy', 'hello:1', `docker://${host}/team/app:1`]);
      expect(gone).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing listens there') as string });
    }));

  it('is told how to be spoken to by flags, which other lines do not have', () =>
    withCli(async (cli, server) => {
      const at = `docker://${server.host}/team/app:1`;
      await cli.ok('copy', 'hello:1', at, '--plain-http', '--jobs', '1', '--retries=0', '--timeout', '5');
      for (const flags of [['--jobs', '0'], ['--retries', 'x'], ['--timeout', '-1']]) expect(await cli.run(['copy', 'hello:1', at, ...flags])).toMatchObject({ status: 2 });
      expect((await cli.run(['copy', 'hello:1', at, '--ca', '@store/index.json'])).status).toBe(2);
      expect((await cli.ok('help', 'copy')).stdout).toContain('--token-host');
    }));
});

describe('login', () => {
  const guard: RegistryServerOptions = {
    intercept(request, response) {
      if (request.headers.authorization === `Basic ${Buffer.from('me:sesame').toString('base64')}`) return false;
      fail(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' });
      return true;
    },
  };

  it('tries what it was given and keeps it; logout forgets it', () =>
    withCli(async (cli, server) => {
      const at = `docker://${server.host}/team/app:1`;
      expect(await cli.run(['copy', 'hello:1', at])).toMatchObject({ status: 5, stderr: expect.stringContaining(`oci-tar login ${server.host}`) as string });
      const wrong = await cli.run(['login', server.host, '-u', 'me', '--password-stdin'], { stdin: Buffer.from('open-sesame\n') });
      expect(wrong.status).toBe(5);
      expect(wrong.stderr).not.toContain('open-sesame');
      const right = await cli.run(['login', server.host, '-u', 'me', '--password-stdin'], { stdin: Buffer.from('sesame\n') });
      expect(right).toMatchObject({ status: 0, stdout: `logged in to ${server.host}; kept in ${cli.path('.docker/config.json')}\n` });
      expect(JSON.parse(readFileSync(cli.path('.docker/config.json'), 'utf8'))).toEqual({ auths: { [server.host]: { auth: Buffer.from('me:sesame').toString('base64') } } });
      await cli.ok('copy', 'hello:1', at);
      await cli.ok('logout', server.host);
      expect((await cli.run(['copy', 'hello:1', at])).status).toBe(5);
      expect((await cli.ok('logout', server.host)).stdout).toContain('there were no credentials');
    }, guard));

  it('asks nobody where nobody is, and takes no password as an argument', () =>
    withCli(async (cli) => {
      expect(await cli.run(['login', 'registry.example'])).toMatchObject({ status: 2, stderr: expect.stringContaining('--password-stdin') as string });
      expect(await cli.run(['login', 'registry.example', '--password-stdin'], { stdin: Buffer.from('x') })).toMatchObject({ status: 2 });
      expect((await cli.run(['login', 'registry.example', '-u', 'me', '--password', 'x'])).status).toBe(2);
      expect((await cli.run(['login', 'no registry', '-u', 'me', '--password-stdin'], { stdin: Buffer.from('x') })).status).toBe(2);
    }));
});
