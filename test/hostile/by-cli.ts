import { readFile, writeFile } from 'node:fs/promises';
import type { ErrorCode } from '@oci-tar/core';
import { expect } from 'vitest';
import { Cli } from '../cli/support.ts';
import type { Outcome } from '../cli/support.ts';
import { soundStore } from './attempt.ts';
import type { Way } from './attempt.ts';

/** The exit status of each code that bad input gives, as docs/exit-statuses.md has it. */
const statuses: Partial<Record<ErrorCode, number>> = {
  NOT_FOUND: 3,
  DIGEST_MISMATCH: 4,
  SIZE_MISMATCH: 4,
  INVALID_TAR: 4,
  INVALID_COMPRESSION: 4,
  INVALID_LAYOUT: 4,
  INVALID_MANIFEST: 4,
  INVALID_JSON: 4,
  UNSAFE_PATH: 4,
  LIMIT_EXCEEDED: 4,
  UNSUPPORTED: 7,
};

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** `oci-tar import` of an archive, as a file or through a pipe. */
export async function importedBy(way: Way, cli: Cli, archive: Uint8Array, ...more: readonly string[]): Promise<Outcome> {
  if (way === 'pipe') return cli.run(['import', '-', ...more], { stdin: archive });
  await writeFile(cli.path('in.tar'), archive);
  return cli.run(['import', '@in.tar', ...more]);
}

/**
 * Has `oci-tar import` refuse an archive, with the code and its exit status, and sees that the store is as it was: the same
 * index.json, the image of before whole, every blob under its own digest, nothing waiting.
 */
export async function refusedByCli(way: Way, archive: Uint8Array, code: ErrorCode): Promise<Refusal> {
  const cli = new Cli();
  await cli.create('earlier:1');
  const index = await readFile(cli.path('store/index.json'), 'utf8');
  const { status, stdout, stderr } = await importedBy(way, cli, archive, '--json');
  expect({ stdout, stderr, status }, 'it was taken').not.toMatchObject({ status: 0 });
  const { error } = JSON.parse(stderr) as { readonly error: Refusal };
  expect({ ...error, status, stdout }).toMatchObject({ code, status: statuses[code], stdout: '' });
  expect(await readFile(cli.path('store/index.json'), 'utf8')).toBe(index);
  await soundStore(cli.path('store'));
  expect((await cli.ok('images', '-q')).stdout).toBe('earlier:1\n');
  return error;
}

/** Has `oci-tar import` take an archive; the store verifies. Returns what it said. */
export async function takenByCli(way: Way, archive: Uint8Array): Promise<Outcome & { readonly cli: Cli }> {
  const cli = new Cli();
  const outcome = await importedBy(way, cli, archive);
  expect(outcome).toMatchObject({ status: 0 });
  await soundStore(cli.path('store'));
  return { ...outcome, cli };
}
