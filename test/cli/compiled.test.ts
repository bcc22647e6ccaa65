import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import { root } from '../workspace/source-files.ts';

const home = mkdtempSync(join(tmpdir(), 'oci-tar-compiled-'));
const cache = join(home, 'cache');
const folder = join(cache, 'oci-tar/compiled');

beforeAll(async () => {
  const { files } = await bundleCli();
  mkdirSync(join(home, 'dist'));
  for (const [name, text] of files) writeFileSync(join(home, 'dist', name), text);
  copyFileSync(join(root, 'packages/cli/package.json'), join(home, 'package.json'));
});

beforeEach(() => rmSync(cache, { recursive: true, force: true }));

afterAll(() => rmSync(home, { recursive: true, force: true }));

const environment = { PATH: process.env['PATH'], HOME: home, XDG_CACHE_HOME: cache, OCI_TAR_STORE: join(home, 'store') };

const said = () => spawnSync(process.execPath, [join(home, 'dist/main.js'), 'images'], { env: environment, encoding: 'utf8' }).stdout;

/** A short run, which has to say what it says without any cache. */
function run(changes: Readonly<Record<string, string>> = {}, words: readonly string[] = ['images', '--json']): void {
  const env = { ...environment, ...changes };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(home, 'dist/main.js'), ...words], { env, encoding: 'utf8', timeout: 20_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  if (words[0] === 'images') expect(JSON.parse(stdout)).toEqual([]);
}

/** The one file that is kept. */
function kept(): string {
  const names = readdirSync(folder);
  expect(names).toEqual([expect.stringMatching(/^program\.js-[\da-f]+$/)]);
  return join(folder, names[0] ?? '');
}

/** A file that is written anew is another file. */
const identity = (path: string) => statSync(path).ino;

describe('compiled code', () => {
  it('is kept by the first run, for its user alone, and taken by the next', () => {
    run();
    const first = identity(kept());
    expect(statSync(kept()).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    run();
    run({}, ['--help']);
    expect(identity(kept())).toBe(first);
  });

  it('is made by a run that fails as well', () => {
    expect(spawnSync(process.execPath, [join(home, 'dist/main.js'), 'no-such-command'], { env: environment }).status).toBe(2);
    expect(existsSync(kept())).toBe(true);
  });

  it.each([0, 31, 40, 5_000, 100_000, 300_000])('that is damaged at byte %i is not run, and made anew', (at) => {
    run();
    const file = kept();
    const whole = readFileSync(file);
    const damaged = Buffer.from(whole);
    damaged.fill(0xa5, at, at + 8);
    writeFileSync(file, damaged);
    const before = identity(file);
    run();
    expect(identity(kept())).not.toBe(before);
  });

  it('that is cut off is not run, and made anew', () => {
    run();
    for (const size of [0, 10, 32, 100_000]) {
      writeFileSync(kept(), readFileSync(kept()).subarray(0, size));
      run();
      expect(statSync(kept()).size).toBeGreaterThan(100_000);
    }
  });

  it('that others could have written is not run', () => {
    run();
    chmodSync(kept(), 0o666);
    const before = identity(kept());
    run();
    expect(identity(kept())).not.toBe(before);
    expect(statSync(kept()).mode & 0o777).toBe(0o600);
  });

  it('is not waited for where a pipe is in its place', () => {
    run();
    const file = kept();
    rmSync(file);
    spawnSync('mkfifo', [file]);
    expect(statSync(file).isFIFO()).toBe(true);
    run();
    expect(statSync(file).isFile()).toBe(true);
  });

  it('is of one version of the source', () => {
    run();
    const before = identity(kept());
    utimesSync(join(home, 'dist/program.js'), 1, 1);
    run();
    expect(identity(kept())).not.toBe(before);
  });

  it('is not that of a source of the same length and date', () => {
    const source = join(home, 'dist/program.js');
    const text = readFileSync(source, 'utf8');
    const { atime, mtime } = statSync(source);
    expect(said()).toContain('no images in');
    writeFileSync(source, text.replace('no images in', 'no imagos in'));
    utimesSync(source, atime, mtime);
    expect(said()).toContain('no imagos in');
    writeFileSync(source, text);
  });

  it('goes when it is old', () => {
    run();
    const last = kept();
    const names = ['program.js-1', 'program.js-1.77.tmp', 'notes.txt'];
    for (const name of names) writeFileSync(join(folder, name), '');
    for (const name of names) utimesSync(join(folder, name), 1, 1);
    rmSync(last);
    run();
    expect(readdirSync(folder).toSorted()).toEqual(['notes.txt', basename(last)]);
  });

  it('is not kept in a HOME that does not exist or is relative', () => {
    const missing = join(home, 'missing');
    run({ XDG_CACHE_HOME: '', HOME: missing });
    expect(existsSync(missing)).toBe(false);
    const { status } = spawnSync(process.execPath, [join(home, 'dist/main.js'), 'images'], { env: { ...environment, XDG_CACHE_HOME: '', HOME: 'relative' }, cwd: home });
    expect({ status, made: existsSync(join(home, 'relative')) }).toEqual({ status: 0, made: false });
  });

  it.skipIf(process.geteuid?.() !== 0)("is not kept in another user's folder by root", () => {
    const theirs = join(home, 'theirs');
    mkdirSync(theirs);
    chownSync(theirs, 12345, 12345);
    run({ XDG_CACHE_HOME: '', HOME: theirs });
    expect(readdirSync(theirs)).toEqual([]);
    run({ XDG_CACHE_HOME: theirs });
    expect(readdirSync(theirs)).toEqual([]);
  });

  it('is kept apart for other flags of V8', () => {
    run();
    run({ NODE_OPTIONS: '--max-old-space-size=500' });
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('is not asked for its version', () => {
    run({}, ['--version']);
    expect(existsSync(cache)).toBe(false);
  });

  it('is not kept where Node is told to keep none', () => {
    run({ NODE_DISABLE_COMPILE_CACHE: '1' });
    expect(existsSync(cache)).toBe(false);
  });

  it('is done without where it cannot be kept', () => {
    writeFileSync(cache, 'a file in its way');
    run();
    expect(readFileSync(cache, 'utf8')).toBe('a file in its way');
  });
});
