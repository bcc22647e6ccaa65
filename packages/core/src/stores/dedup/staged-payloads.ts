import { closeSync, fsync, openSync, writeSync } from 'node:fs';
import { readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gzip } from '../../compression/gzip.ts';
import { transformedSink } from '../../bytes/channel.ts';
import type { ByteSink } from '../../bytes/types.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { digestParts } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import type { ContentKey, PayloadSink, PayloadWriter } from '../../tar/split/payloads.ts';
import { StagedPayload, isStored } from './payload-directory.ts';
import { storedBytes, storedForms, storedLevel } from './stored-payload.ts';

/** So many files are made to last at a time; one after the other they take twice as long. */
const syncsTogether = 32;

/**
 * The payloads of one layer that the store does not have yet, each in a file of the writer's own staging folder, in the form
 * in which it is stored. They last, and can be moved to their places, after `finish`.
 */
export class StagedPayloads implements PayloadSink<ContentKey> {
  /** Bytes on disk of what was staged. */
  bytes = 0;
  readonly #stem: string;
  readonly #places: string;
  readonly #syncing = new Set<Promise<void>>();
  #failed: { readonly error: unknown } | undefined;
  #next = 0;

  /**
   * @param stem how the paths of the staged files start
   * @param places the directory that has the payloads
   */
  constructor(stem: string, places: string) {
    this.#stem = stem;
    this.#places = places;
  }

  /** Where a payload is staged, if it is. */
  path(digest: Digest): string {
    return `${this.#stem}-${digestParts(digest).encoded}`;
  }

  async put(key: ContentKey, bytes: Uint8Array): Promise<void> {
    if (isStored(this.#places, key.digest)) return;
    const path = this.path(key.digest);
    const stored = storedBytes(bytes);
    let file: number;
    try {
      file = openSync(path, 'wx', 0o444);
    } catch (error) {
      // The layer has it twice.
      if (errnoOf(error) === 'EEXIST') return;
      throw mapErrno(error, path);
    }
    try {
      for (let at = 0; at < stored.length; ) at += writeSync(file, stored, at);
    } catch (error) {
      closeSync(file);
      throw mapErrno(error, path);
    }
    this.bytes += stored.length;
    while (this.#syncing.size >= syncsTogether) await Promise.race(this.#syncing);
    const synced: Promise<void> = lasting(file, path)
      .catch((error: unknown) => void (this.#failed ??= { error }))
      .finally(() => this.#syncing.delete(synced));
    this.#syncing.add(synced);
  }

  async begin(): Promise<PayloadWriter<ContentKey>> {
    const staged = `${this.#stem}.${this.#next++}`;
    const file = await StagedPayload.open(staged);
    let size = 1;
    await file.write(Uint8Array.of(storedForms.gzip));
    const body: ByteSink = {
      async write(run) {
        size += run.length;
        await file.write(run);
      },
      commit: () => file.close(true),
      abort: () => file.close().catch(() => {}),
    };
    const packing = transformedSink(body, (bytes) => gzip.compress(bytes, { level: storedLevel }));
    let done = false;
    return {
      write: (bytes) => packing.write(bytes),
      commit: async (key) => {
        done = true;
        await packing.commit();
        if (isStored(this.#places, key.digest)) return unlink(staged);
        await rename(staged, this.path(key.digest));
        this.bytes += size;
      },
      abort: async (reason) => {
        if (done) return;
        done = true;
        await packing.abort(reason ?? new Error('the payload was given up'));
        await unlink(staged).catch(() => {});
      },
    };
  }

  /** All that was staged is sure to last. */
  async finish(): Promise<void> {
    await Promise.all(this.#syncing);
    if (this.#failed !== undefined) throw this.#failed.error;
  }
}

/** Removes the files of a staging folder whose paths start like that. */
export async function discardStaged(stem: string): Promise<void> {
  const names = await readdir(dirname(stem)).catch(() => []);
  for (const name of names) if (name.startsWith(basename(stem))) await unlink(join(dirname(stem), name)).catch(() => {});
}

function lasting(file: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(file, (error) => {
      closeSync(file);
      if (error === null || error === undefined) resolve();
      else reject(mapErrno(error, path));
    });
  });
}

/** The source of payloads while a layer is taken in: staged ones first. */
export function payloadPlace(staged: StagedPayloads, places: string, digest: Digest): string {
  return isStored(places, digest) ? join(places, 'sha256', digestParts(digest).encoded) : staged.path(digest);
}
