import { describe, expect, it } from 'vitest';
import { Cli } from '../cli/support.ts';
import { Sandbox, addImage, directory, file, symlink } from './support.ts';

const layers = [[directory('d/', { uid: 4_000_001 }), file('d/a', 'four', { uid: 4_000_001, gid: 4_000_001 }), symlink('l', 'd/a'), { path: 'd/null', type: 'character-device' as const, devmajor: 1, devminor: 3 }]];

async function cliWithImage(): Promise<Cli> {
  const cli = new Cli();
  await addImage(cli.path('store'), layers);
  return cli;
}

describe('what the command says', () => {
  it('is how much was written, and on standard error what was not, with paths', async () => {
    const cli = await cliWithImage();
    const { stdout, stderr } = await cli.ok('unpack', 'hostile:1', new Sandbox().target, '--rootless');
    expect(stdout).toMatch(/^unpacked hostile:1 {2}linux\/amd64 to \S+: 4 paths, 4 B\n$/);
    expect(stderr).toMatch(/^\d paths? with another owner, now yours: .*d\/a.*$/m);
    expect(stderr).toMatch(/^left out: 1 path that is a device, which cannot be made here: d\/null$/m);
  });

  it('is the same as JSON', async () => {
    const cli = await cliWithImage();
    const { target } = new Sandbox();
    const report = await cli.json('unpack', 'hostile:1', target, '--rootless');
    expect(report).toMatchObject({ image: 'hostile:1', platform: 'linux/amd64', directory: target, entries: 4, files: 1, directories: 1, symlinks: 1, hardlinks: 0, specials: 0, bytes: 4 });
    expect(report).toMatchObject({ leftOut: expect.arrayContaining([{ kind: 'device', count: 1, paths: ['d/null'] }]) as unknown });
  });

  it('is the directory alone where it is to be quiet', async () => {
    const cli = await cliWithImage();
    const { target } = new Sandbox();
    expect(await cli.ok('unpack', 'hostile:1', target, '-q')).toMatchObject({ stdout: `${target}\n`, stderr: '' });
  });

  it('is how far it is, with the size of the layers as the total', async () => {
    const cli = await cliWithImage();
    const { stderr } = await cli.run(['unpack', 'hostile:1', new Sandbox().target], { terminal: true });
    expect(stderr).toMatch(/unpacking .* of \d+\.\d kB/);
  });

  it.each([['--max-size', 'much'], ['--max-size', '-1'], ['--max-entries', '1.5x'], ['--max-file-size', '9999999999999999999']])('is that %s %s makes no sense, before anything is opened', async (flag, value) => {
    const { status, stderr } = await new Cli().run(['unpack', 'none:1', new Sandbox().target, `${flag}=${value}`]);
    expect(status).toBe(2);
    expect(stderr).toContain(value);
  });
});
