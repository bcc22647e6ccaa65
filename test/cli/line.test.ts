import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { commands } from '../../packages/cli/src/commands.ts';
import { Cli } from './support.ts';

describe('help', () => {
  it('is what oci-tar alone, help and --help print', async () => {
    const cli = new Cli();
    const { stdout } = await cli.ok();
    for (const [name, { sameAs }] of Object.entries(commands)) if (sameAs === undefined) expect(stdout).toContain(`oci-tar ${name}`);
    expect((await cli.ok('help')).stdout).toBe(stdout);
    expect((await cli.ok('--help')).stdout).toBe(stdout);
  });

  it.each(Object.keys(commands))('of %s has its usage and examples', async (name) => {
    const cli = new Cli();
    const { stdout } = await cli.ok('help', name);
    expect(stdout).toMatch(new RegExp(`^oci-tar ${name}`));
    expect(stdout).toMatch(/Examples:\n {2}\$ oci-tar /);
    expect((await cli.ok(name, '--help')).stdout).toBe(stdout);
  });

  it('shows examples that the parser accepts', async () => {
    const cli = new Cli();
    for (const name of Object.keys(commands)) {
      const { stdout } = await cli.ok('help', name);
      for (const [, line = ''] of stdout.matchAll(/^ {2}\$ (?:[^|\n]*\| )?oci-tar ([^|>\n]*)/gm)) {
        const words = line.match(/'[^']*'|\S+/g)?.map((word) => word.replaceAll("'", '')) ?? [];
        // With --help the flags are read and nothing is done.
        expect(await cli.run([...words, '--help']), line).toMatchObject({ status: 0, stderr: '' });
      }
    }
  });
});

describe('a command line that makes no sense', () => {
  it.each([
    [['exprot'], 'there is no command exprot', 'Did you mean oci-tar export?'],
    [['frobnicate'], 'there is no command frobnicate', 'See oci-tar help.'],
    [['help', 'imprt'], 'there is no command imprt', 'Did you mean oci-tar import?'],
    [['export', 'a', 'b.tar', '--platfrom', 'linux/amd64'], 'unknown flag: --platfrom', 'Did you mean --platform?'],
    [['images', '--qiet'], 'unknown flag: --qiet', 'Did you mean --quiet?'],
    [['images', '-z'], 'unknown flag: -z', 'Usage: oci-tar images [place]'],
    [['import'], 'an argument is missing', 'Usage: oci-tar import <in.tar|-> [new-name]'],
    [['import', 'a', 'b', 'c'], 'unexpected argument: c', 'Usage: oci-tar import'],
    [['images', '--store'], '--store needs a value', 'Usage: oci-tar images'],
    [['images', '--store='], '--store', ''],
    [['export', 'a', 'b.tar', '--platform', 'a', '--all-platforms'], '--platform and --all-platforms exclude each other', ''],
  ])('%j is told what is wrong', async (args, problem, hint) => {
    const outcome = await new Cli().run(args);
    expect(outcome).toMatchObject({ status: 2, stdout: '' });
    expect(outcome.stderr).toContain(problem);
    expect(outcome.stderr).toContain(hint);
  });

  it('is told so in JSON with --json', async () => {
    const outcome = await new Cli().run(['images', '--json', '--digest']);
    expect(JSON.parse(outcome.stderr)).toEqual({ error: { code: 'USAGE', message: 'unknown flag: --digest', hint: 'Did you mean --digests?' } });
  });
});

describe('errors', () => {
  it('carry their code and particulars under --json', async () => {
    const cli = new Cli();
    await cli.create();
    const outcome = await cli.run(['rm', 'hello:2', '--json']);
    expect(outcome).toMatchObject({ status: 3, stdout: '' });
    expect(JSON.parse(outcome.stderr)).toMatchObject({ error: { code: 'NOT_FOUND', subject: 'docker.io/library/hello:2', hint: 'Did you mean hello:1?' } });
  });

  it('give up at once where the signal came first', async () => {
    const cli = new Cli();
    await cli.create();
    const reason = new Error('enough');
    expect((await cli.run(['export', 'hello:1', '@out.tar'], { signal: AbortSignal.abort(reason) })).stderr).toContain('enough');
  });
});

describe('completion', () => {
  it('has a script for each shell', async () => {
    const cli = new Cli();
    expect((await cli.ok('completion', 'bash')).stdout).toContain('complete -o bashdefault');
    expect((await cli.ok('completion', 'zsh')).stdout).toContain('#compdef oci-tar');
    expect((await cli.ok('completion', 'fish')).stdout).toContain('complete -c oci-tar');
    expect((await cli.run(['completion'], { env: { SHELL: '/usr/bin/zsh' } })).stdout).toContain('#compdef oci-tar');
    expect(await cli.run(['completion', 'tcsh'])).toMatchObject({ status: 2 });
  });

  it('offers commands, flags, values and the names of images', async () => {
    const cli = new Cli();
    await cli.create();
    const offered = async (...words: readonly string[]) => (await cli.ok('--get-yargs-completions', 'oci-tar', ...words)).stdout.split('\n').slice(0, -1);
    expect(await offered('ex')).toEqual(Object.entries(commands).flatMap(([name, { sameAs }]) => (sameAs === undefined ? [name] : [])));
    expect(await offered('export', '--')).toEqual(expect.arrayContaining(['--platform', '--compress', '--store', '--help']));
    expect(await offered('export', 'a', '--compress', '')).toEqual(['gzip', 'zstd', 'none']);
    expect(await offered('rm', 'h')).toEqual(['hello:1']);
    expect(await offered('rm', '--store', cli.path('none'), '')).toEqual([]);
    expect(await offered('import', '')).toEqual([]);
    expect(await offered('export', '-o', '')).toEqual([]);
    expect(await offered('export', '--ca', '')).toEqual([]);
    expect(await offered('pull', '--hosts-dir', '')).toEqual([]);
    expect(await offered('ls', '-')).toEqual(expect.arrayContaining(['--long', '--platform', '--plain-http']));
    for (const command of ['ls', 'cat', 'diff', 'layers', 'toc', 'append', 'flatten', 'unpack', 'convert', 'copy', 'verify', 'serve', 'index', 'tag', 'config', 'inspect', 'referrers']) expect(await offered(command, ''), command).toEqual(['hello:1']);
    for (const command of ['create', 'pack', 'prune', 'usage', 'login']) expect(await offered(command, ''), command).toEqual([]);
  });

  it('goes on after a colon in bash', async ({ skip }) => {
    if (spawnSync('bash', ['-c', 'exit 0']).status !== 0) skip('bash is not installed');
    const script = (await new Cli().ok('completion', 'bash')).stdout;
    // In place of the program: what it is asked, and names as a store has them.
    const program = 'oci-tar() { printf "<%s>" "$@" >&3; printf "%s\\n" hello:1 hello:arm host:5000/a:1 other:2; }';
    const offered = (line: string, breaks = ':') => {
      const asking = `COMP_WORDBREAKS='${breaks}'; COMP_LINE='${line}'; COMP_POINT=${line.length}; _oci_tar_completions; echo "\${COMPREPLY[*]}"`;
      return spawnSync('bash', ['-c', `${program}\n${script}\n{ ${asking}; } 3>&1`], { encoding: 'utf8' }).stdout.trim();
    };
    expect(offered('oci-tar export hello:')).toBe('<--get-yargs-completions><oci-tar><export><hello:>1 arm');
    expect(offered('oci-tar rm other:2 host:50')).toMatch(/<other:2><host:50>5000\/a:1$/);
    expect(offered('oci-tar rm hel')).toMatch(/<rm><hel>hello:1 hello:arm$/);
    expect(offered('oci-tar rm ')).toMatch(/<rm><>hello:1 hello:arm host:5000\/a:1 other:2$/);
    expect(offered('oci-tar rm hello:a', '')).toMatch(/hello:arm$/);
  });

  it('escapes what zsh would split', async () => {
    const cli = new Cli();
    await cli.create();
    expect((await cli.run(['--get-yargs-completions', 'oci-tar', 'rm', ''], { env: { SHELL: '/bin/zsh' } })).stdout).toBe('hello\\:1\n');
  });
});
