import { createHash } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import type { Io } from '../../packages/cli/src/io.ts';
import { run } from '../../packages/cli/src/run.ts';
import { root } from '../workspace/source-files.ts';

const home = mkdtempSync(join(tmpdir(), 'oci-tar-pipes-'));
const main = join(home, 'dist/main.js');
const env = { PATH: process.env['PATH'], HOME: home, OCI_TAR_STORE: join(home, 'store') };
/** Far more than the streams of a process hold, in bytes. */
const bigSize = 100 * 1024 * 1024;

beforeAll(async () => {
  const { files } = await bundleCli();
  mkdirSync(join(home, 'dist'));
  mkdirSync(join(home, 'big'));
  for (const [name, text] of files) writeFileSync(join(home, 'dist', name), text);
  copyFileSync(join(root, 'packages/cli/package.json'), join(home, 'package.json'));
  const data = openSync(join(home, 'big/data'), 'w');
  ftruncateSync(data, bigSize);
  writeSync(data, 'the end', bigSize - 7);
  closeSync(data);
  writeFileSync(join(home, 'big/z-last'), 'last\n');
  execFileSync(process.execPath, [main, 'create', 'big:1', '--layer', join(home, 'big'), '--level', '1', '-q'], { env });
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

async function shell(line: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const child = spawn('bash', ['-c', `oci-tar() { "${process.execPath}" "${main}" "$@"; }\n${line}`], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, 'close');
  return { stdout, stderr };
}

/** Runs a command in this process; each write waits for `taken`. */
async function slowly(args: readonly string[], taken: (written: number) => Promise<void>): Promise<{ readonly status: number; readonly digest: string; readonly most: number }> {
  const digest = createHash('sha256');
  let under = 0;
  let most = 0;
  let written = 0;
  const io: Io = {
    version: '1.2.3',
    env,
    signal: new AbortController().signal,
    stdin: { isTerminal: false, async *bytes() {} },
    stdout: {
      isTerminal: false,
      write: async () => {},
      sink: () => ({
        async write(chunk) {
          under += chunk.length;
          most = Math.max(most, under);
          digest.update(chunk);
          written += chunk.length;
          await taken(written);
          under -= chunk.length;
        },
        commit: async () => {},
        abort: async () => {},
      }),
    },
    stderr: { isTerminal: false, write: () => {} },
  };
  const status = await run(args, io);
  return { status, digest: digest.digest('hex'), most };
}

const expected = (() => {
  const digest = createHash('sha256');
  digest.update(Buffer.alloc(bigSize - 7)).update('the end');
  return digest.digest('hex');
})();

describe('a file of 100 MB', () => {
  it('goes through a pipe whole', async () => {
    expect(await shell('oci-tar cat big:1 data | sha256sum')).toEqual({ stdout: `${expected}  -\n`, stderr: '' });
  });

  it('is read as fast as it is written, and no faster', async () => {
    const before = process.memoryUsage().arrayBuffers;
    let grown = 0;
    const taken = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      grown = Math.max(grown, process.memoryUsage().arrayBuffers - before);
    };
    const { status, digest, most } = await slowly(['cat', 'big:1', '/data'], taken);
    expect({ status, digest }).toEqual({ status: 0, digest: expected });
    // One run at a time.
    expect(most).toBeLessThanOrEqual(1024 * 1024);
    expect(grown).toBeLessThan(bigSize / 2);
  });

  it('whose reader goes away ends the command quietly', async () => {
    expect(await shell('oci-tar cat big:1 data | head -c 10 | wc -c; echo ${PIPESTATUS[0]}')).toEqual({ stdout: expect.stringMatching(/^ *10\n141\n$/) as string, stderr: '' });
    expect(await shell('{ sleep 0.2; oci-tar ls -l big:1; echo $? >&2; } | true')).toEqual({ stdout: '', stderr: '141\n' });
  });

  it('is too much for a full disk', async ({ skip }) => {
    skip(!existsSync('/dev/full'), 'there is no /dev/full');
    expect(await shell('oci-tar cat big:1 data > /dev/full; echo $?')).toEqual({ stdout: '5\n', stderr: expect.stringContaining('there is no space left') as string });
  });
});

describe('a tar on a pipe', () => {
  it('becomes a layer', async () => {
    const { stdout, stderr } = await shell('tar -c -C big z-last | oci-tar append big:1 big:2 - -q > digest && oci-tar layers big:2 --quick -q | wc -l; oci-tar cat big:2 z-last; oci-tar verify big:2');
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^ *2\nlast\nbig:2: ok/) as string, stderr: '' });
  });
});
