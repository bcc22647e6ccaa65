import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { exportImages } from '@oci-tar/core';
import { build } from 'esbuild';
import { addImages, memoryStore } from '../support/images.ts';
import type { ImageSpec } from '../support/images.ts';

const core = fileURLToPath(new URL('../../packages/core/src', import.meta.url));

/** Makes a script that plain node can run as a process of its own; `core` in its source is the whole library. */
export async function scriptOf(folder: string, source: string): Promise<string> {
  const outfile = join(folder, 'script.mjs');
  await build({
    stdin: { contents: `import * as core from './index.ts';\n${source}`, resolveDir: core, loader: 'ts' },
    bundle: true,
    outfile,
    platform: 'node',
    format: 'esm',
    conditions: ['@oci-tar/source', 'node'],
    // tar-stream is CommonJS and asks for node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'silent',
  });
  // Found beside the script at run time; a bundler does not see it.
  await copyFile(join(core, 'runtime/node/hash-worker.js'), join(folder, 'hash-worker.js'));
  return outfile;
}

/** A child process that says what it does in lines, and waits for lines. */
export class Child {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string, ...args: readonly string[]) {
    this.process = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.exited = once(this.process, 'exit').then(([code]) => (typeof code === 'number' ? code : null));
    if (this.process.stdout === null) throw new Error('the child has no output');
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    // A child that was killed takes nothing more.
    this.process.stdin?.on('error', () => {});
  }

  /** Its next line; undefined where it has ended. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  say(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  /** Kills it `delay` milliseconds from now unless it has ended before; returns whether it had. */
  async killAfter(delay: number): Promise<'killed' | 'ended'> {
    let over = false;
    const timer = setTimeout(() => {
      over = this.process.kill('SIGKILL');
    }, delay);
    const code = await this.exited;
    clearTimeout(timer);
    return over && code === null ? 'killed' : 'ended';
  }
}

/** An archive file with these images. */
export async function writeArchive(path: string, ...specs: readonly (ImageSpec & { readonly name: string })[]): Promise<void> {
  const source = memoryStore();
  await addImages(source, ...specs);
  await exportImages({ source, references: specs.map(({ name }) => name), output: path });
}

/** Runs with a folder of its own. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'oci-tar-crash-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

/** Random numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A process that was killed between making a file and writing its owner into it is known to be gone by the age only. */
export async function ageOwnerless(path: string): Promise<void> {
  const own = join(path, '.oci-tar');
  const when = Date.now() / 1000 - 3700;
  for (const entry of await readdir(own, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const file = join(entry.parentPath, entry.name);
    const owned = entry.isDirectory() ? (await stat(join(file, 'owner')).catch(() => undefined)) !== undefined : (await readFile(file, 'utf8')).endsWith('}');
    if (!owned) await utimes(file, when, when);
  }
}
