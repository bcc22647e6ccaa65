import { createHash } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, createReadStream, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import { RegistryServer } from '../support/registry-server.ts';
import { root } from '../workspace/source-files.ts';
import { folder, writeTree } from './support.ts';

const home = mkdtempSync(join(tmpdir(), 'oci-tar-process-'));
const main = join(home, 'dist/main.js');
const store = join(home, 'store');
const env = { PATH: process.env['PATH'], HOME: home, OCI_TAR_STORE: store };
/** Enough to be busy for a while when it is hashed, in bytes. */
const bigSize = 64 * 1024 * 1024;

beforeAll(async () => {
  const { files } = await bundleCli();
  mkdirSync(join(home, 'dist'));
  for (const [name, text] of files) writeFileSync(join(home, 'dist', name), text);
  copyFileSync(join(root, 'packages/cli/package.json'), join(home, 'package.json'));
  writeTree(home, { 'rootfs/hello': 'hello\n', 'big/data': '' });
  const data = openSync(join(home, 'big/data'), 'w');
  ftruncateSync(data, bigSize);
  closeSync(data);
  for (const [name, layer] of [['hello:1', 'rootfs'], ['big:1', 'big']]) {
    execFileSync(process.execPath, [main, 'create', name ?? '', '--layer', join(home, layer ?? ''), '--compress', 'none', '-q'], { env });
  }
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Ended {
  /** As a shell reports it. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function start(args: readonly string[], cwd = home, environment: NodeJS.ProcessEnv = env): ChildProcess {
  return spawn(process.execPath, [main, ...args], { cwd, env: environment });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { status: code ?? 128 + constants.signals[signal ?? 'SIGKILL'], stdout: Buffer.concat(stdout), stderr };
}

/** Runs the program to its end. */
function oci(args: readonly string[], cwd = home, environment: NodeJS.ProcessEnv = env): Promise<Ended> {
  const child = start(args, cwd, environment);
  child.stdin?.end();
  return ended(child);
}

/** A line of shell in which `oci-tar` is the program under test; resolves to what it printed. */
function shell(line: string, cwd = home): Promise<Ended> {
  const child = spawn('bash', ['-c', `oci-tar() { "${process.execPath}" "${main}" "$@"; }\n${line}`], { cwd, env });
  child.stdin.end();
  return ended(child);
}

function has(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
}

describe('the program', () => {
  it('knows its version, early and late', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'packages/cli/package.json'), 'utf8')) as { version: string };
    for (const args of [['--version'], ['-v'], ['export', '--version']]) {
      expect(await oci(args)).toMatchObject({ status: 0, stdout: Buffer.from(`${version}\n`), stderr: '' });
    }
  });

  it('ends with the statuses that are documented', async () => {
    const documented = readFileSync(join(root, 'docs/exit-statuses.md'), 'utf8');
    const cases: readonly (readonly [number, readonly string[]])[] = [
      [0, ['images']],
      [2, ['images', '--nonsense']],
      [3, ['rm', 'missing']],
      [4, ['import', main]],
    ];
    for (const [status, args] of cases) {
      expect((await oci(args)).status, args.join(' ')).toBe(status);
      expect(documented).toMatch(new RegExp(`^\\| ${status} \\|`, 'm'));
    }
  });

  it('passes an archive from one process to the next', async () => {
    const { stdout, stderr } = await shell('oci-tar export hello:1 - -q | oci-tar import - --store piped -q');
    expect({ stdout: stdout.toString(), stderr }).toEqual({ stdout: 'hello:1\n', stderr: '' });
    expect((await oci(['verify', '--store', 'piped'])).status).toBe(0);
  });

  it('reads a file on standard input', async () => {
    await oci(['export', 'hello:1', 'redirected.tar']);
    const { stdout } = await shell('oci-tar import - --store redirected -q < redirected.tar');
    expect(stdout.toString()).toBe('hello:1\n');
  });

  it('speaks to registries, directly and through a proxy', async () => {
    const server = await RegistryServer.start();
    try {
      const proxied = { ...env, http_proxy: `http://${server.host}` };
      expect(await oci(['copy', 'big:1', `docker://${server.host}/team/big:1`, '-q'])).toMatchObject({ status: 0, stderr: '' });
      expect(await oci(['copy', `docker://${server.host}/team/big:1`, 'oci:pulled:1', '-q'])).toMatchObject({ status: 0, stderr: '' });
      expect(await oci(['copy', 'docker://registry.example/team/big:1', 'oci:proxied:1', '-q', '--plain-http'], home, proxied)).toMatchObject({ status: 0, stderr: '' });
      expect(server.count(/^GET http:\/\/registry\.example\/v2\/team\/big\/blobs/)).toBeGreaterThan(1);
      for (const layout of ['pulled', 'proxied']) expect((await oci(['verify', `oci:${layout}:1`])).status).toBe(0);
    } finally {
      await server.stop();
    }
  });

  it('asks a proxy for a tunnel to a registry of TLS', async () => {
    const asked: string[] = [];
    const proxy = createServer().on('connect', ({ url = '' }, socket) => {
      asked.push(url);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const { status, stderr } = await oci(['tags', 'docker://registry.example/team/big', '--retries', '0'], home, { ...env, HTTPS_PROXY: `http://127.0.0.1:${port}` });
    expect([status, asked]).toEqual([1, ['registry.example:443']]);
    expect(stderr).toContain(`through the proxy 127.0.0.1:${port}`);
    await new Promise((resolve) => proxy.close(resolve));
  });

  it('loses nothing when several import into one store at once', async () => {
    await oci(['export', 'hello:1', 'shared.tar']);
    const names = ['a', 'b', 'c', 'd'].map((letter) => `image-${letter}:1`);
    const results = await Promise.all(names.map((name) => oci(['import', 'shared.tar', name, '--store', 'shared', '-q'])));
    expect(results.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    expect((await oci(['images', '--store', 'shared', '-q'])).stdout.toString().split('\n').slice(0, -1)).toEqual(names);
    expect((await oci(['verify', '--store', 'shared'])).status).toBe(0);
  });
});

describe('a pipe', () => {
  it('that is closed ends an export quietly', async () => {
    const { stdout, stderr } = await shell('oci-tar export big:1 - | head -c 1000 | wc -c; echo ${PIPESTATUS[0]}');
    expect(stdout.toString().split('\n').map((line) => line.trim())).toEqual(['1000', '141', '']);
    expect(stderr).toBe('');
  });

  it('that is closed ends a list quietly', async () => {
    const { stdout, stderr } = await shell('{ sleep 0.2; oci-tar images; echo $? >&2; } | true');
    expect({ stdout: stdout.toString(), stderr }).toEqual({ stdout: '', stderr: '141\n' });
  });

  it('with a name is written and read, and stays one', async ({ skip }) => {
    skip(!has('mkfifo'), 'mkfifo is not there');
    const cwd = folder();
    execFileSync('mkfifo', ['pipe'], { cwd });
    const [exported, imported] = await Promise.all([oci(['export', 'hello:1', 'pipe'], cwd), oci(['import', 'pipe', '--store', 'second', '-q'], cwd)]);
    expect(exported.status).toBe(0);
    expect(imported).toMatchObject({ status: 0, stdout: Buffer.from('hello:1\n') });
    expect(execFileSync('stat', ['-c', '%F', 'pipe'], { cwd }).toString()).toBe('fifo\n');
  });
});

describe('a place that cannot be written', () => {
  it('for lack of space is told so', async ({ skip }) => {
    skip(!existsSync('/dev/full'), 'there is no /dev/full');
    for (const result of [await oci(['export', 'hello:1', '/dev/full']), await shell('oci-tar export hello:1 - > /dev/full'), await shell('oci-tar images > /dev/full')]) {
      expect(result.status).toBe(5);
      expect(result.stderr).toContain('there is no space left');
    }
  });

  it('since it is protected is told so', async ({ skip }) => {
    // Nobody makes files there, root neither.
    skip(!existsSync('/sys/kernel'), 'there is no /sys');
    const exported = await oci(['export', 'hello:1', '/sys/out.tar', '--json']);
    expect(exported.status).toBe(5);
    expect(JSON.parse(exported.stderr)).toMatchObject({ error: { code: expect.stringMatching(/^(FORBIDDEN|READ_ONLY)$/) as string } });
    expect((await oci(['create', 'x', '--layer', 'rootfs', '--store', '/sys/store'])).status).toBe(5);
  });

  it('discards an archive in /dev/null, which stays what it is', async ({ skip }) => {
    skip(!existsSync('/dev/null'), 'there is no /dev/null');
    expect((await oci(['export', 'hello:1', '/dev/null'])).status).toBe(0);
    expect(execFileSync('stat', ['-c', '%F', '/dev/null']).toString()).toBe('character special file\n');
  });
});

describe('a terminal', () => {
  it('is refused as the place of an archive, under any name', async ({ skip }) => {
    skip(!has('script'), 'script (util-linux) is not there');
    const onTerminal = (args: string) => ended(spawn('script', ['-qec', `"${process.execPath}" "${main}" ${args}`, '/dev/null'], { cwd: home, env: { ...env, NO_COLOR: '1' } }));
    for (const args of ['export hello:1 -', 'export hello:1 /dev/tty', 'export hello:1 -o /dev/stdout', 'copy hello:1 oci-archive:/dev/tty', 'import -']) {
      const { status, stdout } = await onTerminal(args);
      expect(stdout.toString(), args).toContain('is a terminal');
      expect(status, args).toBe(2);
    }
    expect((await onTerminal('export big:1 drawn.tar')).stdout.toString()).toMatch(/\rexporting [█░]+ \d+ %, .* of 67\.1 MB, \d of 3 blobs/);
  });
});

describe('an interrupt', () => {
  it('in the middle of an export leaves no file', async () => {
    const cwd = folder();
    const child = start(['export', 'big:1', 'out.tar'], cwd);
    const watcher = watch(cwd, (_, name) => {
      if (name?.endsWith('.tmp') !== true) return;
      watcher.close();
      child.kill('SIGINT');
    });
    const { status, stderr } = await ended(child);
    expect(status).toBe(130);
    expect(stderr).toContain('stopped by SIGINT');
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('in the middle of an import names nothing and leaves only whole blobs, for the next import', async () => {
    const cwd = folder();
    await oci(['import', '-', '--store', 'second'], cwd);
    const { stdout: archive } = await oci(['export', 'big:1', '-', '-q']);
    const child = start(['import', '-', '--store', 'second'], cwd);
    const end = ended(child);
    // Half of it, and then nothing more: it waits.
    await new Promise((resolve) => child.stdin?.write(archive.subarray(0, archive.length / 2), resolve));
    child.kill('SIGTERM');
    expect(await end).toMatchObject({ status: 143, stderr: expect.stringContaining('stopped by SIGTERM') as string });
    expect((await oci(['verify', '--store', 'second'], cwd)).status).toBe(0);
    expect((await oci(['images', '--store', 'second', '-q'], cwd)).stdout.toString()).toBe('');
    const left = readdirSync(join(cwd, 'second'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && !/^(oci-layout|index\.json)$/.test(entry.name));
    for (const { parentPath, name } of left) {
      expect(parentPath).toBe(join(cwd, 'second/blobs/sha256'));
      expect(createHash('sha256').update(readFileSync(join(parentPath, name))).digest('hex')).toBe(name);
    }
    expect((await oci(['prune', '--store', 'second'], cwd)).status).toBe(0);
    expect(readdirSync(join(cwd, 'second/blobs/sha256'))).toEqual([]);
  });

  it('that comes twice ends a write that hangs', async ({ skip }) => {
    skip(!has('mkfifo'), 'mkfifo is not there');
    const cwd = folder();
    execFileSync('mkfifo', ['pipe'], { cwd });
    const child = start(['export', 'big:1', 'pipe'], cwd);
    const end = ended(child);
    const reader = createReadStream(join(cwd, 'pipe'), { highWaterMark: 1024 });
    await once(reader, 'readable');
    child.kill('SIGINT');
    // The reader reads no more, so the last write never returns.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(child.exitCode).toBeNull();
    child.kill('SIGINT');
    expect((await end).status).toBe(130);
    reader.destroy();
  });
});

describe('a layer that can be read in pieces', () => {
  it('is built from a pipe into a pipe, and unpacked so', () => {
    const tar = execFileSync(process.execPath, [main, 'pack', join(home, 'rootfs'), '-', '-q'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    const piped = (input: Buffer, ...args: readonly string[]) => execFileSync(process.execPath, [main, 'estargz', ...args, '-', '-'], { env, input, stdio: ['pipe', 'pipe', 'ignore'] });
    expect(piped(piped(tar, 'build', '--lossless'), 'unpack').equals(tar)).toBe(true);
    expect(piped(piped(tar, 'build'), 'unpack').includes('hello')).toBe(true);
  });
});
