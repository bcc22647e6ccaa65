import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isOciTarError, localStore, mediaTypes } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { expect, it, onTestFinished } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry, WriteReport, WriteTreeOptions } from '../../packages/core/src/runtime/tree-writer.ts';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { Cli } from '../cli/support.ts';
import { linux, pushBytes, pushJson } from '../support/images.ts';

export const isRoot = process.getuid?.() === 0;

/** A directory with a place to unpack to and something beside it that must stay as it is. */
export class Sandbox {
  readonly dir = mkdtempSync(join(tmpdir(), 'oci-tar-security-'));
  readonly outside = join(this.dir, 'outside');
  /** Does not exist at first. */
  readonly target = join(this.dir, 'within', 'root');
  readonly #before: readonly string[];

  constructor() {
    onTestFinished(() => rmSync(this.dir, { recursive: true, force: true }));
    mkdirSync(join(this.dir, 'within'));
    mkdirSync(this.outside);
    mkdirSync(join(this.outside, 'folder'), { mode: 0o755 });
    writeFileSync(join(this.outside, 'secret'), 'secret\n', { mode: 0o640 });
    this.#before = this.#state();
  }

  /** Nothing outside was added, removed, changed or linked to. */
  expectUntouched(): void {
    expect(this.#state()).toEqual(this.#before);
  }

  /** Nothing is left of an attempt. */
  expectNothingLeft(): void {
    expect(readdirSync(join(this.dir, 'within'))).toEqual([]);
  }

  path(name: string): string {
    return join(this.target, name);
  }

  text(name: string): string {
    expect(lstatSync(this.path(name)).isFile(), `${name} is a file`).toBe(true);
    return readFileSync(this.path(name), 'utf8');
  }

  #state(): readonly string[] {
    const files = ['.', ...readdirSync(this.outside, { recursive: true, encoding: 'utf8' })].toSorted();
    return files.map((name) => {
      const { mode, uid, gid, nlink, size, mtimeMs, ino } = lstatSync(join(this.outside, name));
      return `${name} ${mode.toString(8)} ${uid}:${gid} ${nlink} links ${size} bytes ${mtimeMs} ${ino}`;
    });
  }
}

/** How an attempt to unpack ended. */
export interface Attempt {
  readonly way: Way;
  readonly sandbox: Sandbox;
  /** Undefined where it was unpacked. */
  readonly refused: ErrorCode | undefined;
  readonly message: string;
}

export type Way = 'the extractor alone' | 'the command';
export type Layers = readonly (readonly PackEntry[])[];

/** Layers, the base first, through the extractor alone (one after the other, as they stand) and as an image through the command. */
export function bothWays(title: string, layers: Layers | ((sandbox: Sandbox) => Layers), check: (attempt: Attempt) => void, flags: readonly string[] = [], options: WriteTreeOptions = {}): void {
  it.each(['the extractor alone', 'the command'] as const)(`${title} (%s)`, async (way) => {
    const sandbox = new Sandbox();
    const made = typeof layers === 'function' ? layers(sandbox) : layers;
    const attempt = way === 'the command' ? await byCommand(sandbox, made, flags) : await byExtractor(sandbox, made, options);
    sandbox.expectUntouched();
    if (attempt.refused !== undefined) sandbox.expectNothingLeft();
    check(attempt);
  });
}

/** What the tar reader makes of these entries. */
export async function* readBack(layers: Layers): AsyncGenerator<WriteEntry, void, void> {
  for (const layer of layers) yield* entries(pieceBytes(pack(layer)));
}

async function byExtractor(sandbox: Sandbox, layers: Layers, options: WriteTreeOptions): Promise<Attempt> {
  return attemptOf(sandbox, () => writeTree(readBack(layers), sandbox.target, options));
}

/** An attempt with a stream of the test's own. */
export async function attemptOf(sandbox: Sandbox, work: () => Promise<WriteReport>): Promise<Attempt> {
  try {
    await work();
    return { way: 'the extractor alone', sandbox, refused: undefined, message: '' };
  } catch (error) {
    if (!isOciTarError(error)) throw error;
    return { way: 'the extractor alone', sandbox, refused: error.code, message: error.message };
  }
}

async function byCommand(sandbox: Sandbox, layers: Layers, flags: readonly string[]): Promise<Attempt> {
  const cli = new Cli();
  await addImage(cli.path('store'), layers);
  const { status, stderr } = await cli.run(['unpack', 'hostile:1', sandbox.target, '--json', ...flags]);
  expect(existsSync(sandbox.target)).toBe(status === 0);
  if (status === 0) return { way: 'the command', sandbox, refused: undefined, message: '' };
  const { error } = JSON.parse(stderr) as { readonly error: { readonly code: ErrorCode; readonly message: string } };
  return { way: 'the command', sandbox, refused: error.code, message: error.message };
}

/** An image hostile:1 with these layers, as plain tars, in the store at a path. */
export async function addImage(path: string, layers: Layers, name = 'docker.io/library/hostile:1'): Promise<void> {
  const store = await localStore(path);
  const session = await store.begin?.();
  if (session === undefined) throw new Error(`${path} cannot be written`);
  const descriptors = [];
  for (const layer of layers) descriptors.push((await pushBytes(session, mediaTypes.layer, 'layer', await tarOf(layer))).descriptor);
  const config = await pushJson(session, mediaTypes.config, 'config', { ...linux, config: {}, rootfs: { type: 'layers', diff_ids: descriptors.map(({ digest }) => digest) } });
  await session.name(name, await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: descriptors }));
  await session.end();
  await store.close();
}

export async function tarOf(layer: readonly PackEntry[]): Promise<Uint8Array> {
  const runs: Uint8Array[] = [];
  for await (const run of pieceBytes(pack(layer))) runs.push(run);
  return Buffer.concat(runs);
}

/** A file with some text. */
export function file(path: string, text = 'unpacked\n', more: Partial<PackEntry> = {}): PackEntry {
  const data = new TextEncoder().encode(text);
  return { path, type: 'file', size: data.byteLength, data, ...more };
}

export function directory(path: string, more: Partial<PackEntry> = {}): PackEntry {
  return { path, type: 'directory', ...more };
}

export function symlink(path: string, linkname: string): PackEntry {
  return { path, type: 'symlink', linkname };
}

export function hardlink(path: string, linkname: string): PackEntry {
  return { path, type: 'hardlink', linkname };
}
