import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import { root } from '../workspace/source-files.ts';

const home = mkdtempSync(join(tmpdir(), 'oci-tar-workers-'));
const log = join(home, 'threads.log');

/** Notes each thread of the program that has answered. */
const spy = `const threads = require('node:worker_threads');
if (threads.isMainThread) {
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(file, options) {
      super(file, options);
      this.once('message', () => require('node:fs').appendFileSync(${JSON.stringify(log)}, require('node:path').basename(String(file)) + '\\n'));
    }
  };
}`;

beforeAll(async () => {
  const { files } = await bundleCli();
  copyFileSync(join(root, 'packages/cli/package.json'), join(home, 'package.json'));
  for (const kind of ['whole', 'without']) {
    mkdirSync(join(home, kind));
    for (const [name, text] of files) if (kind === 'whole' || !/^(deflate|member)-worker/.test(name)) writeFileSync(join(home, kind, name), text);
  }
  writeFileSync(join(home, 'spy.cjs'), spy);
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const name of names) writeFileSync(join(home, name), randomBytes(512 * 1024));
  execFileSync('tar', ['-C', home, '-cf', join(home, 'in.tar'), ...names]);
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

function estargz(kind: 'whole' | 'without', ...args: readonly string[]) {
  writeFileSync(log, '');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', join(home, 'spy.cjs'), join(home, kind, 'main.js'), 'estargz', ...args], { cwd: home, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: home } });
  return { status, stdout, stderr, threads: new Set(readFileSync(log, 'utf8').split('\n').filter(Boolean)) };
}

describe('the program as it is published', () => {
  it('builds and verifies layers in threads of its own', () => {
    const built = estargz('whole', 'build', 'in.tar', 'layer', '-q');
    expect(built).toMatchObject({ status: 0, stderr: '' });
    expect(built.threads).toContain('deflate-worker.js');
    const verified = estargz('whole', 'verify', 'layer', '--level', '2', '-q');
    expect(verified).toMatchObject({ status: 0, stderr: '' });
    expect(verified.threads).toContain('member-worker.js');
  });

  it('says so where its threads fail, and does the same without them', () => {
    const built = estargz('without', 'build', 'in.tar', 'slowly', '-q');
    expect(built.status).toBe(0);
    expect(built.stderr).toMatch(/a thread that compresses failed, .*deflate-worker/);
    expect(readFileSync(join(home, 'slowly')).equals(readFileSync(join(home, 'layer')))).toBe(true);
    const verified = estargz('without', 'verify', 'slowly', '--level', '2', '-q');
    expect(verified.status).toBe(0);
    expect(verified.stderr).toMatch(/a thread that verifies failed, .*member-worker/);
  });
});
