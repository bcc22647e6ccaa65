import { closeSync, lstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { OciTarError } from '../../errors.ts';
import { randomHex } from '../../runtime/node/builtins.ts';
import { mapErrno } from '../../runtime/node/errno.ts';
import { HandleWriter } from '../../runtime/node/handle.ts';
import { digestParts } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { payloadName } from '../../tar/split/assemble.ts';
import type { ContentKey, PayloadKey, PayloadSink, PayloadSource, PayloadWriter } from '../../tar/split/payloads.ts';
import { payloadFile, readPayload } from './payload-file.ts';

/** What a sink has taken so far. */
export interface PayloadCounts {
  /** Payloads, and their bytes, each as often as it came. */
  readonly payloads: number;
  readonly bytes: number;
  /** Those that were not there yet. */
  readonly written: number;
  readonly writtenBytes: number;
}

/** A sink that has something to clean up. */
export interface OpenPayloadSink<K extends PayloadKey> extends PayloadSink<K> {
  readonly counts: PayloadCounts;
  close(): Promise<void>;
}

/** Where a payload lies below the root: `sha256/<hex>`. */
export function payloadPath(digest: Digest): string {
  const { algorithm, encoded } = digestParts(digest);
  return `${algorithm}/${encoded}`;
}

/**
 * A directory of payloads by digest, `sha256/<hex>`, each there once. A file appears whole or not at all; one that is there in
 * its size is not written again. Bytes are with the system after `close`, not yet sure to outlast a power failure; whoever reads
 * them compares their digests.
 */
export async function payloadSink(root: string): Promise<OpenPayloadSink<ContentKey>> {
  const staging = join(root, `.${randomHex(8)}.tmp`);
  await mkdir(join(root, 'sha256'), { recursive: true }).catch((error: unknown) => {
    throw mapErrno(error, root);
  });
  await mkdir(staging).catch((error: unknown) => {
    throw mapErrno(error, root);
  });
  return new DirectorySink(root, staging);
}

class DirectorySink implements OpenPayloadSink<ContentKey> {
  counts: PayloadCounts = { payloads: 0, bytes: 0, written: 0, writtenBytes: 0 };
  readonly #root: string;
  readonly #staging: string;
  #next = 0;

  constructor(root: string, staging: string) {
    this.#root = root;
    this.#staging = staging;
  }

  put(key: ContentKey, bytes: Uint8Array): void {
    const place = join(this.#root, payloadPath(key.digest));
    const isNew = !isThere(place, key.size);
    if (isNew) {
      const staged = this.#stagedPath();
      writeWhole(staged, bytes);
      move(staged, place);
    }
    this.#count(key, isNew);
  }

  async begin(): Promise<PayloadWriter<ContentKey>> {
    const staged = this.#stagedPath();
    const file = await StagedPayload.open(staged);
    return {
      write: (bytes) => file.write(bytes),
      commit: async (key) => {
        await file.close();
        const place = join(this.#root, payloadPath(key.digest));
        const isNew = !isThere(place, key.size);
        if (isNew) move(staged, place);
        else await rm(staged, { force: true });
        this.#count(key, isNew);
      },
      abort: () => file.close().catch(() => {}),
    };
  }

  async close(): Promise<void> {
    await rm(this.#staging, { recursive: true, force: true });
  }

  #stagedPath(): string {
    return join(this.#staging, String(this.#next++));
  }

  #count({ size }: ContentKey, isNew: boolean): void {
    const { payloads, bytes, written, writtenBytes } = this.counts;
    this.counts = { payloads: payloads + 1, bytes: bytes + size, written: written + (isNew ? 1 : 0), writtenBytes: writtenBytes + (isNew ? size : 0) };
  }
}

/** A file that a long payload is written into. */
export class StagedPayload {
  readonly #handle: FileHandle;
  readonly #writer: HandleWriter;
  #closed = false;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#writer = new HandleWriter(handle, path);
  }

  static async open(path: string): Promise<StagedPayload> {
    const handle = await open(path, 'wx', 0o644).catch((error: unknown) => {
      throw mapErrno(error, path);
    });
    return new StagedPayload(handle, path);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  /** `sync`: makes the bytes last before. */
  async close(sync = false): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#writer.finish();
      if (sync) await this.#handle.sync();
    } finally {
      await this.#handle.close();
    }
  }
}

/** Writes a new file at once: synchronously, since four system calls by way of the thread pool take ten times as long. */
export function writeWhole(path: string | Buffer, bytes: Uint8Array): void {
  try {
    const file = openSync(path, 'wx', 0o644);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw mapErrno(error, String(path));
  }
}

function move(staged: string, place: string): void {
  try {
    renameSync(staged, place);
  } catch (error) {
    throw mapErrno(error, place);
  }
}

/** Whether a payload of this size is in its place. */
export function isThere(place: string, size: number): boolean {
  const stats = lstatSync(place, { throwIfNoEntry: false });
  return stats?.isFile() === true && stats.size === size;
}

/** Whether there is a file for a payload, of whatever size. */
export function isStored(root: string, digest: Digest): boolean {
  return lstatSync(join(root, payloadPath(digest)), { throwIfNoEntry: false })?.isFile() === true;
}

/** The payloads of a directory as `payloadSink` writes it, for putting archives together. */
export function payloadSource(root: string): PayloadSource {
  return {
    open(key) {
      if (!('digest' in key)) {
        throw new OciTarError('UNSUPPORTED', `the metadata name the payload ${payloadName(key)} by its path, and ${root} has payloads by digest`, { subject: root });
      }
      return payloadFile(join(root, payloadPath(key.digest)), key);
    },
    readInto: (key, target) => 'digest' in key && readPayload(join(root, payloadPath(key.digest)), target),
  };
}
