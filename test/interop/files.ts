import { createReadStream } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { digestBytes, exportImages, importImages, localStore, openArchive, verifyImages } from '@oci-tar/core';
import type { ExportRequest, ImageStore, ImportRequest } from '@oci-tar/core';
import { extract } from 'tar-stream';
import { expect } from 'vitest';
import { listed } from '../support/images.ts';
import { run } from './peers/tool.ts';

/** Exports images of a store into a new file below the directory, and tells its path. */
export async function exported(directory: string, source: ImageStore, references: readonly string[], options: Partial<ExportRequest> = {}): Promise<string> {
  const output = join(await mkdtemp(join(directory, 'export-')), 'out.tar');
  await exportImages({ ...options, source, references, output });
  return output;
}

/** Imports an archive of a peer into a fresh store; every blob in it verifies. */
export async function imported(directory: string, archive: string, options: Partial<ImportRequest> = {}): Promise<ImageStore> {
  const target = await freshStore(directory);
  const source = await openArchive(archive);
  try {
    await importImages(source, { ...options, target });
  } finally {
    await source.close();
  }
  await expectVerified(target);
  return target;
}

export async function freshStore(directory: string): Promise<ImageStore> {
  return localStore(join(await mkdtemp(join(directory, 'store-')), 'store'));
}

/** Every image of the store is whole: digests, sizes, references and diffIDs. */
export async function expectVerified(store: ImageStore): Promise<void> {
  const images = await listed(store);
  expect(images.length).toBeGreaterThan(0);
  const report = await verifyImages(store, images);
  expect(report.problems).toEqual([]);
}

/** The names of a store with their digests. */
export async function digestsOf(store: ImageStore): Promise<ReadonlyMap<string | undefined, string>> {
  return new Map((await listed(store)).map(({ name, descriptor }) => [name, descriptor.digest]));
}

export interface ArchiveEntry {
  readonly type: string | null | undefined;
  readonly mode: string;
  readonly owner: string;
  readonly mtime: number;
  readonly size: number;
  readonly digest: string;
}

export interface Entries {
  readonly entries: ReadonlyMap<string, ArchiveEntry>;
  /** The parsed content of a JSON file. */
  json(name: string): unknown;
}

/** What an archive holds, read by a tar parser that is not our own. */
export async function entriesOf(archive: string): Promise<Entries> {
  const entries = new Map<string, ArchiveEntry>();
  const texts = new Map<string, string>();
  const parser = createReadStream(archive).pipe(extract());
  for await (const entry of parser) {
    const { name, type, mode = 0, uid, gid, uname, gname, mtime, size = 0 } = entry.header;
    const data = await buffer(entry);
    expect(entries.has(name), `${name} is there once`).toBe(false);
    entries.set(name, {
      type,
      mode: mode.toString(8),
      owner: `${uid}:${gid} ${uname}:${gname}`,
      mtime: mtime?.getTime() ?? -1,
      size,
      digest: await digestBytes(data),
    });
    if (name.endsWith('.json')) texts.set(name, data.toString());
  }
  return { entries, json: (name) => JSON.parse(texts.get(name) ?? 'null') as unknown };
}

/**
 * One line for each file below a directory: path, type, mode, and what matters of its kind; on request owner and time too.
 * Sizes and links of directories are left out, since they depend on the file system.
 */
export async function treeOf(directory: string, { owners = false }: { readonly owners?: boolean } = {}): Promise<readonly string[]> {
  const owner = owners ? '%U:%G %Ts ' : '';
  const file = `%P\\tf %m ${owner}%s bytes %n links\\n`;
  const found = await run('find', [directory, '-mindepth', '1', '(', '-type', 'f', '-printf', file, '-o', '-printf', `%P\\t%y %m ${owner}%l\\n`, ')']);
  return found.split('\n').filter((line) => line !== '').toSorted();
}

/** A temporary directory for what several suites of one file share. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'oci-tar-interop-'));
}
