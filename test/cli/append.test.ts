import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, utimesSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tarOf, file } from '../support/layers.ts';
import { Cli, writeTree } from './support.ts';

describe('append', () => {
  it('puts directories, files and standard input on an image', async () => {
    const cli = new Cli();
    await cli.create();
    writeTree(cli.path('app'), { 'srv/app.js': 'app\n' });
    execFileSync('tar', ['-czf', cli.path('more.tar.gz'), '-C', cli.path('app'), '.']);
    const outcome = await cli.run(['append', 'hello:1', 'hello:2', '--layer', '@app', '--layer', '@more.tar.gz', '-', '--created-by', 'COPY', '--comment', 'three'], { stdin: await tarOf([file('piped')]) });
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringMatching(/^hello:2 {2}sha256:[0-9a-f]{64}\nappended 3 layers\n$/) as string, stderr: '' });
    expect((await cli.ok('ls', '-R', 'hello:2')).stdout).toBe('/hello.sh\n/piped\n/srv\n/srv/app.js\n');
    expect(await cli.json('layers', 'hello:2', '--quick')).toMatchObject({ layers: [{}, { history: { created_by: 'COPY', comment: 'three' } }, {}, {}] });
    expect((await cli.run(['verify'])).status).toBe(0);
    expect((await cli.ok('diff', 'hello:1', 'hello:2', '-q')).stdout).toBe('/piped\n/srv\n/srv/app.js\n');
  });

  it('gives the same image from the same files, whatever their times, dated as it is told', async () => {
    const cli = new Cli();
    await cli.create();
    writeTree(cli.path('app'), { 'app.js': 'app\n' });
    const digest = async (...more: readonly string[]) => (await cli.ok('append', 'hello:1', 'hello:2', '--layer', '@app', '-q', ...more)).stdout;
    const first = await digest();
    utimesSync(cli.path('app/app.js'), 2_000_000_000, 2_000_000_000);
    expect(await digest()).toBe(first);
    const dated = await digest('--created', '2026-01-01T00:00:00Z');
    expect(dated).not.toBe(first);
    const { stdout } = await cli.run(['append', 'hello:1', 'hello:3', '--layer', '@app', '-q'], { env: { SOURCE_DATE_EPOCH: '1767225600' } });
    expect(stdout).toBe(dated);
    expect((await cli.ok('inspect', 'hello:3', '--config')).bytes.length).toBeGreaterThan(0);
    expect(JSON.parse(Buffer.from((await cli.ok('inspect', 'hello:3', '--config')).bytes).toString())).toMatchObject({ created: '2026-01-01T00:00:00Z', history: [{}, { created: '2026-01-01T00:00:00Z' }] });
  });

  it('takes the image from any place, and files away from it', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    await cli.ok('copy', 'hello:1', 'docker-archive:@docker.tar:hello:1');
    for (const place of ['@out.tar', 'docker-archive:@docker.tar']) {
      const report = await cli.json('append', place, 'less:1', '--whiteout', '/hello.sh', '--store', '@second');
      expect(report).toMatchObject({ name: 'docker.io/library/less:1', from: expect.stringMatching(/^sha256:/) as string, layers: [{ diffID: expect.stringMatching(/^sha256:/) as string }], manifests: [{ platform: 'linux/amd64' }] });
      expect((await cli.ok('ls', 'less:1', '--store', '@second')).stdout).toBe('');
    }
    expect((await cli.ok('images', '-q')).stdout).toBe('hello:1\n');
    expect(readFileSync(cli.path('out.tar')).length).toBeGreaterThan(0);
  });

  it('writes to any place, also one that has to know all its contents first', async () => {
    const cli = new Cli();
    await cli.create();
    writeTree(cli.path('app'), { 'srv/app.js': 'app\n' });
    const { digest } = (await cli.json('append', 'hello:1', 'hello:2', '@app')) as { digest: string };
    for (const [target, name] of [['oci-archive:@a.tar:hello:2', 'docker.io/library/hello:2'], ['oci:@layout:v2', 'v2'], ['dir:@dir', undefined], ['oci-archive:@b.tar', undefined], ['dedup:@dedup:v2', 'v2']] as const) {
      const report = (await cli.json('append', 'hello:1', target, '@app')) as { name?: string };
      expect(report, target).toMatchObject({ target: expect.stringContaining(target.replace(/@.*/, '')) as string, digest });
      expect(report.name, target).toBe(name);
      expect((await cli.run(['verify', target])).status, target).toBe(0);
      expect((await cli.ok('diff', 'hello:2', target)).stdout, target).toContain('no file differs');
    }
    expect((await cli.ok('images', '@a.tar', '-q')).stdout).toBe('hello:2\n');
    expect((await cli.ok('append', 'hello:1', 'oci-archive:@b.tar', '@app')).stdout).toBe(`<none>  ${digest}\nappended 1 layer\n`);
    expect((await cli.ok('append', 'hello:1', 'docker-archive:@d.tar:hello:3', '@app')).stdout).toMatch(/^hello:3 /);
    expect((await cli.ok('ls', '-R', '@d.tar', '-q')).stdout).toBe('/hello.sh\n/srv\n/srv/app.js\n');
    expect(await cli.run(['append', 'hello:1', '-', '@app'])).toMatchObject({ status: 2, stderr: expect.stringContaining('oci-tar export IMAGE -') as string });
    expect(await cli.run(['append', 'hello:1', 'store:', '@app'])).toMatchObject({ status: 2, stderr: expect.stringContaining('has no name') as string });
    expect(readdirSync(cli.dir).sort()).toEqual(['a.tar', 'app', 'b.tar', 'd.tar', 'dedup', 'dir', 'layout', 'rootfs', 'store']);
  });

  it.each([
    [['append', 'hello:1', 'hello:2'], 2, /nothing to append/],
    [['append', 'hello:1'], 2, /argument is missing/],
    [['append', 'hello:1', 'hello:2', '--layer', '-', '-'], 2, /one layer only/],
    [['append', 'hello:1', 'hello:2', '--layer', '@nowhere'], 3, /nowhere/],
    [['append', 'hello:1', 'hello:2', '--layer', '@rootfs/hello.sh'], 4, /rootfs\/hello\.sh: .*tar/],
    [['append', 'hello:1', 'hello:2', '--whiteout', '../x'], 4, /is no path inside a layer/],
    [['append', 'hello:1', 'Hello:2', '--layer', '@rootfs'], 2, /reference/],
    [['append', 'hello:1', 'hello:2', '--layer', '@rootfs', '--level', '3', '--compress', 'none'], 2, /--compress is none/],
    [['append', 'hello:1', 'hello:2', '--layer', '@rootfs', '--created', 'yesterday'], 2, /no moment/],
    [['append', 'hello:1', 'hello:2', '--layer', '@rootfs', '--platform', 'linux/arm64'], 3, /for these platforms/],
    [['append', 'none:1', 'hello:2', '--layer', '@rootfs'], 3, /no image/],
  ])('refuses %j and names nothing', async (words, status, says) => {
    const cli = new Cli();
    await cli.create();
    expect(await cli.run(words)).toMatchObject({ status, stderr: expect.stringMatching(says) as string });
    expect((await cli.ok('images', '-q')).stdout).toBe('hello:1\n');
    expect((await cli.run(['verify', '--all'])).status).toBe(0);
  });

  it('refuses a terminal as a layer', async () => {
    const cli = new Cli();
    await cli.create();
    expect(await cli.run(['append', 'hello:1', 'hello:2', '--layer=-'], { terminal: true })).toMatchObject({ status: 2, stderr: expect.stringContaining('is a terminal') as string });
  });
});
