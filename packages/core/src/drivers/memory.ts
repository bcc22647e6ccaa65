import { Verifier } from '../bytes/digest.ts';
import { bytesSource, join } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { BlobLease, BlobWriter, BlobWriterOptions, ExpectedBlob, FileWriter, ImageDriver, LayoutWriters, LeasedBlob, SealedBlob, WrittenBlob } from '../layout/driver.ts';
import { blobPath } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { layoutFolder, layoutPathParts } from './path.ts';

export interface MemoryDriverOptions {
  /** The most bytes that all files together may have, those being written included. 1 GiB by default. */
  readonly limit?: number;
}

const defaultLimit = 1024 ** 3;

/** A layout in memory. LIMIT_EXCEEDED past its limit. `close` loses nothing: the driver can be read and written again. */
export function memoryDriver(options: MemoryDriverOptions = {}): ImageDriver {
  return new MemoryDriver(options.limit ?? defaultLimit);
}

class MemoryDriver implements ImageDriver {
  readonly name = 'memory';
  readonly access = 'random';
  readonly #files = new Map<string, Uint8Array>();
  readonly #room: Room;
  readonly #writing = new Set<MemoryFile>();
  readonly #leases = new Set<readonly LeasedBlob[]>();
  #turn: Promise<void> = Promise.resolve();

  constructor(limit: number) {
    this.#room = new Room(limit);
  }

  async init(): Promise<void> {}

  async *list(prefix?: string): AsyncGenerator<{ readonly path: string; readonly size: number }> {
    const folder = layoutFolder(prefix);
    for (const [path, bytes] of this.#files) {
      if (folder === undefined || path.startsWith(`${folder}/`)) yield { path, size: bytes.byteLength };
    }
  }

  async reader(path: string): Promise<ByteSource> {
    layoutPathParts(path);
    const bytes = this.#files.get(path);
    if (bytes === undefined) throw new OciTarError('NOT_FOUND', `memory has no ${path}`, { subject: path });
    return bytesSource(bytes);
  }

  async writer(path: string): Promise<FileWriter> {
    layoutPathParts(path);
    const file = this.#start();
    return {
      write: async (chunk) => file.write(chunk),
      commit: async () => this.#place(path, file.finish()),
      abort: async (reason) => file.drop(reason),
    };
  }

  async blobWriter(options: BlobWriterOptions = {}): Promise<BlobWriter> {
    const verifier = new Verifier(options, options.algorithm === undefined ? {} : { algorithm: options.algorithm });
    return new MemoryBlobWriter(this.#start(verifier), verifier, options, (path, bytes) => {
      if (this.#files.has(path)) this.#room.give(bytes.byteLength);
      else this.#files.set(path, bytes);
    });
  }

  async remove(path: string): Promise<void> {
    layoutPathParts(path);
    this.#room.give(this.#files.get(path)?.byteLength ?? 0);
    this.#files.delete(path);
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.then(nothing, nothing);
    return result;
  }

  async lease(): Promise<BlobLease> {
    const blobs: LeasedBlob[] = [];
    this.#leases.add(blobs);
    return {
      add: (added) =>
        this.exclusive(async () => {
          for (const blob of added) blobs.push(blob);
        }),
      confirm: async () => {},
      release: async () => void this.#leases.delete(blobs),
    };
  }

  async writers(): Promise<LayoutWriters> {
    return { leased: [...this.#leases].flat(), abandoned: { files: 0, bytes: 0 } };
  }

  async close(): Promise<void> {
    await this.abort(new OciTarError('CONFLICT', 'the layout in memory has been closed'));
  }

  async abort(reason: unknown = new OciTarError('CONFLICT', 'writing to memory was given up')): Promise<void> {
    for (const file of this.#writing) file.drop(reason);
    this.#leases.clear();
  }

  #place(path: string, bytes: Uint8Array): void {
    this.#room.give(this.#files.get(path)?.byteLength ?? 0);
    this.#files.set(path, bytes);
  }

  #start(verifier?: Verifier): MemoryFile {
    const file = new MemoryFile(this.#room, () => {
      this.#writing.delete(file);
      verifier?.dispose();
    });
    this.#writing.add(file);
    return file;
  }
}

function nothing(): void {}

/** What is left of the limit. */
class Room {
  readonly #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(size: number): void {
    if (this.#used + size > this.#limit) {
      throw new OciTarError('LIMIT_EXCEEDED', `a layout in memory may have ${this.#limit} bytes in all`, {
        limit: this.#limit,
        hint: 'Use a directory.',
      });
    }
    this.#used += size;
  }

  give(size: number): void {
    this.#used -= size;
  }
}

/** A file being written: nobody sees it yet, but its bytes count. */
class MemoryFile {
  readonly #room: Room;
  readonly #onEnd: () => void;
  #chunks: Uint8Array[] = [];
  #ended: { readonly reason: unknown } | undefined;
  size = 0;

  constructor(room: Room, onEnd: () => void) {
    this.#room = room;
    this.#onEnd = onEnd;
  }

  check(): void {
    if (this.#ended !== undefined) throw this.#ended.reason;
  }

  write(chunk: Uint8Array): void {
    this.check();
    try {
      this.#room.take(chunk.byteLength);
    } catch (error) {
      this.drop(error);
      throw error;
    }
    this.#chunks.push(chunk);
    this.size += chunk.byteLength;
  }

  /** The bytes in an array of their own. They go on counting. */
  finish(): Uint8Array {
    this.check();
    const bytes = join(this.#chunks, this.size);
    this.#end(undefined);
    return bytes;
  }

  drop(reason?: unknown): void {
    if (this.#ended !== undefined) return;
    this.#room.give(this.size);
    this.#end(reason);
  }

  /** Bytes that `finish` gave and nobody keeps. */
  forget(bytes: Uint8Array): void {
    this.#room.give(bytes.byteLength);
  }

  #end(reason: unknown): void {
    this.#ended = { reason: reason ?? new OciTarError('CONFLICT', 'the file has been committed or given up') };
    this.#chunks = [];
    this.#onEnd();
  }
}

class MemoryBlobWriter implements BlobWriter {
  digest?: Digest;
  readonly #file: MemoryFile;
  readonly #verifier: Verifier;
  readonly #promised: ExpectedBlob;
  readonly #place: (path: string, bytes: Uint8Array) => void;

  constructor(file: MemoryFile, verifier: Verifier, promised: ExpectedBlob, place: (path: string, bytes: Uint8Array) => void) {
    this.#file = file;
    this.#verifier = verifier;
    this.#promised = promised;
    this.#place = place;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      this.#file.write(chunk);
      await this.#verifier.update(chunk);
    } catch (error) {
      this.#file.drop(error);
      throw error;
    }
  }

  async commit(expected?: ExpectedBlob): Promise<WrittenBlob> {
    const sealed = await this.seal(expected);
    await sealed.commit();
    return { digest: sealed.digest, size: sealed.size };
  }

  async seal(expected: ExpectedBlob = {}): Promise<SealedBlob> {
    this.#file.check();
    try {
      const { digest, size } = await this.#verifier.finish({ ...this.#promised, ...expected });
      const bytes = this.#file.finish();
      this.digest = digest;
      let waiting = true;
      const once = (work: () => void) => async () => {
        if (waiting) work();
        waiting = false;
      };
      return {
        digest,
        size,
        source: () => bytesSource(bytes),
        commit: once(() => this.#place(blobPath(digest), bytes)),
        abort: once(() => this.#file.forget(bytes)),
      };
    } catch (error) {
      this.#file.drop(error);
      throw error;
    }
  }

  async abort(reason?: unknown): Promise<void> {
    this.#file.drop(reason);
  }
}
