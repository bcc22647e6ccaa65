import { readFile, readdir } from 'node:fs/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobPath, digestBytes, importImages, importStream, isOciTarError, localStore, openArchive, verifyImages } from '@oci-tar/core';
import type { ErrorCode, ImageStore, MoveReport, OciTarError } from '@oci-tar/core';
import { expect } from 'vitest';
import { addImages, listed } from '../support/images.ts';
import { cut } from '../support/sinks.ts';

/** The two ways in: the archive as a file, and through a pipe. */
export const ways = ['file', 'pipe'] as const;
export type Way = (typeof ways)[number];

export const earlierName = 'docker.io/library/earlier:1';

/** Runs with a folder of its own. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'oci-tar-hostile-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function importBy(way: Way, archive: Uint8Array, target: ImageStore, folder: string): Promise<MoveReport> {
  if (way === 'pipe') return importStream(cut(archive), { target });
  const path = join(folder, 'in.tar');
  await writeFile(path, archive);
  const source = await openArchive(path);
  try {
    return await importImages(source, { target });
  } finally {
    await source.close();
  }
}

/**
 * Imports what must be refused into a store that holds an image already. Returns the error, after seeing that the store is
 * as it was: the same index.json, every blob under its own digest, nothing waiting, no file open.
 */
export async function refused(way: Way, archive: Uint8Array, code: ErrorCode): Promise<OciTarError> {
  return inFolder(async (folder) => {
    const path = join(folder, 'store');
    await filled(path);
    const index = await readFile(join(path, 'index.json'), 'utf8');
    const open = await openFiles();
    const store = await localStore(path);
    const error = await importBy(way, archive, store, folder).then(
      () => {
        throw new Error(`the archive was taken by ${way}, though it should give ${code}`);
      },
      (reason: unknown) => reason,
    );
    if (!isOciTarError(error)) throw error;
    expect({ way, code: error.code, message: error.message }).toEqual({ way, code, message: expect.any(String) });
    await store.close();
    expect(await readFile(join(path, 'index.json'), 'utf8')).toBe(index);
    await soundStore(path);
    expect(await openFiles()).toEqual(open);
    return error;
  });
}

/** Imports what must be taken; returns the store's files by path, and how many images verify. */
export async function taken(way: Way, archive: Uint8Array): Promise<ReadonlyMap<string, string>> {
  return inFolder(async (folder) => {
    const path = join(folder, 'store');
    const store = await localStore(path);
    await importBy(way, archive, store, folder);
    await store.close();
    await soundStore(path);
    const files = new Map<string, string>();
    for (const file of (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())) {
      const name = join(file.parentPath, file.name);
      files.set(name.slice(path.length + 1), await readFile(name, 'latin1'));
    }
    return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** A store with one image in it, closed. */
export async function filled(path: string): Promise<void> {
  const store = await localStore(path);
  await addImages(store, { name: earlierName, layers: [{ earlier: 'image' }] });
  await store.close();
}

/** Sees that every image of a store verifies, every blob has the digest of its name, and nothing else lies about. */
export async function soundStore(path: string): Promise<void> {
  const store = await localStore(path);
  const images = await listed(store);
  expect((await verifyImages(store, images)).problems).toEqual([]);
  await store.close();
  await soundBlobs(path);
  expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
}

/** Sees that every file under blobs/ has the digest of its name. */
export async function soundBlobs(path: string): Promise<number> {
  const blobs = (await readdir(join(path, 'blobs'), { recursive: true, withFileTypes: true })).filter((entry) => !entry.isDirectory());
  for (const { parentPath, name } of blobs) {
    const file = join(parentPath, name);
    expect(blobPath(await digestBytes(await readFile(file)))).toBe(file.slice(path.length + 1));
  }
  return blobs.length;
}

/** The files that this process has open, without what its own machinery opens and closes. */
async function openFiles(): Promise<readonly string[]> {
  const { readlink } = await import('node:fs/promises');
  const links = await Promise.all((await readdir('/proc/self/fd').catch(() => [])).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return links.filter((link) => link.includes('oci-tar-')).sort();
}
