import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Io } from '../../packages/cli/src/io.ts';
import { run } from '../../packages/cli/src/run.ts';
import { MemorySink, cut } from '../support/sinks.ts';

/** What a command said and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Uint8Array;
}

export interface CliOptions {
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
}

/** A folder of one test, removed after it. */
export function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'oci-tar-cli-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  writeTree(path, files);
  return path;
}

export function writeTree(path: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
}

/** A command line with a store of its own, run inside this process. */
export class Cli {
  readonly dir: string;
  readonly #options: CliOptions;

  constructor(options: CliOptions = {}) {
    this.dir = folder({ 'rootfs/hello.sh': '#!/bin/sh\necho hello\n' });
    this.#options = options;
  }

  /** A path in the test's folder. */
  path(name: string): string {
    return join(this.dir, name);
  }

  /** Runs a command; arguments that begin with `@` are paths in the test's folder. */
  async run(args: readonly string[], options: CliOptions = this.#options): Promise<Outcome> {
    const sink = new MemorySink();
    let stdout = '';
    let stderr = '';
    const isTerminal = options.terminal === true;
    const io: Io = {
      version: '1.2.3',
      env: { OCI_TAR_STORE: this.path('store'), ...options.env },
      signal: options.signal ?? new AbortController().signal,
      stdin: { isTerminal, bytes: () => cut(options.stdin ?? new Uint8Array()) },
      stdout: { isTerminal, write: async (text) => void (stdout += text), sink: () => sink },
      stderr: { isTerminal, write: (text) => void (stderr += text) },
    };
    const status = await run(args.map((arg) => arg.replace(/(^|:)@/, `$1${this.dir}/`)), io);
    return { status, stdout, stderr, bytes: sink.bytes };
  }

  /** As `run`, for commands that must work. */
  async ok(...args: readonly string[]): Promise<Outcome> {
    const outcome = await this.run(args);
    if (outcome.status !== 0) throw new Error(`oci-tar ${args.join(' ')}: exit status ${outcome.status}\n${outcome.stderr}`);
    return outcome;
  }

  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse((await this.ok(...args, '--json')).stdout);
  }

  /** An image hello:1 in the store. */
  async create(name = 'hello:1', ...more: readonly string[]): Promise<string> {
    return (await this.ok('create', name, '--layer', '@rootfs', '--platform', 'linux/amd64', '-q', ...more)).stdout.trim();
  }
}
