import { unlink } from 'node:fs/promises';
import { Verifier } from '../../bytes/digest.ts';
import { checkRange } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { isOciTarError } from '../../errors.ts';
import type { BlobWriter, BlobWriterOptions, ExpectedBlob, SealedBlob, WrittenBlob } from '../../layout/driver.ts';
import { fileSource } from '../../runtime/node/files.ts';
import { blobPath } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import type { StagedFile } from './staged-file.ts';
import type { Staging } from './staging.ts';
import type { LayoutTree } from './tree.ts';

/**
 * Less the umask. Not writable, as containerd has it: content under a digest never changes. Removing and replacing it
 * needs the folder's permission only, so `umoci gc` and `skopeo copy` work on it.
 */
const blobMode = 0o444;

export async function writeBlob(tree: LayoutTree, staging: Staging, options: BlobWriterOptions): Promise<BlobWriter> {
  const verifier = new Verifier(options, options.algorithm === undefined ? {} : { algorithm: options.algorithm });
  try {
    const file = await staging.open(blobMode, verifier);
    return new DirectoryBlobWriter(tree, file, verifier, options);
  } catch (error) {
    verifier.dispose();
    throw error;
  }
}

class DirectoryBlobWriter implements BlobWriter {
  digest?: Digest;
  readonly #tree: LayoutTree;
  readonly #file: StagedFile;
  readonly #verifier: Verifier;
  readonly #promised: ExpectedBlob;

  constructor(tree: LayoutTree, file: StagedFile, verifier: Verifier, promised: ExpectedBlob) {
    this.#tree = tree;
    this.#file = file;
    this.#verifier = verifier;
    this.#promised = promised;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength > 0) await this.#file.write(chunk);
  }

  async commit(expected?: ExpectedBlob): Promise<WrittenBlob> {
    const sealed = await this.seal(expected);
    await sealed.commit();
    return { digest: sealed.digest, size: sealed.size };
  }

  async seal(expected: ExpectedBlob = {}): Promise<SealedBlob> {
    await this.#file.commit();
    try {
      const written = await this.#verifier.finish({ ...this.#promised, ...expected });
      this.digest = written.digest;
      return new DirectorySealedBlob(this.#tree, this.#file.path, written);
    } catch (error) {
      await unlink(this.#file.path).catch(() => {});
      throw error;
    } finally {
      this.#verifier.dispose();
    }
  }

  abort(reason?: unknown): Promise<void> {
    return this.#file.abort(reason);
  }
}

class DirectorySealedBlob implements SealedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly #tree: LayoutTree;
  readonly #staged: string;
  /** Where the bytes are now. */
  #place: string;
  #done: Promise<void> | undefined;

  constructor(tree: LayoutTree, staged: string, { digest, size }: WrittenBlob) {
    this.#tree = tree;
    this.#staged = staged;
    this.#place = staged;
    this.digest = digest;
    this.size = size;
  }

  source(): ByteSource {
    const { size } = this;
    return { size, read: (start = 0, end = size) => this.#read(start, end) };
  }

  commit(): Promise<void> {
    this.#done ??= this.#adopt();
    return this.#done;
  }

  async abort(): Promise<void> {
    if (this.#done !== undefined) return;
    this.#done = unlink(this.#staged).catch(() => {});
    await this.#done;
  }

  async #adopt(): Promise<void> {
    const path = blobPath(this.digest);
    const there = await this.#tree.stat(path).catch((error: unknown) => {
      // A link in the blob's place is replaced, not followed.
      if (!isOciTarError(error, 'UNSAFE_PATH')) throw error;
      return undefined;
    });
    if (there?.isFile() && there.size === this.size) {
      this.#tree.rely(path);
      this.#place = await this.#tree.locate(path);
      await unlink(this.#staged).catch(() => {});
    } else {
      await this.#tree.adopt(this.#staged, path);
      this.#place = await this.#tree.locate(path);
    }
  }

  async *#read(start: number, end: number): ByteStream {
    checkRange(start, end, this.size);
    let started = false;
    for (;;) {
      const place = this.#place;
      try {
        const source = await fileSource(place);
        for await (const chunk of source.read(start, end)) {
          started = true;
          yield chunk;
        }
        return;
      } catch (error) {
        // It may have been moved to its final place between the look and the opening.
        if (started || !isOciTarError(error, 'NOT_FOUND')) throw error;
        await this.#done;
        if (place === this.#place) throw error;
      }
    }
  }
}
