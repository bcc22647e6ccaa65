import { join } from 'node:path';
import { bytesSource, readSource } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { BlobLease, BlobWriter, BlobWriterOptions, FileWriter, ImageDriver, LayoutWriters } from '../layout/driver.ts';
import { openFile, readSmallFile, unopenedFile } from '../runtime/node/files.ts';
import { digestOfBlobPath } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import { writeBlob } from './directory/blob.ts';
import { leaseFile } from './directory/lease.ts';
import { withLock } from './directory/lock.ts';
import { lockName, privateName, removeEmptyFolders } from './directory/private-folder.ts';
import { Staging } from './directory/staging.ts';
import { LayoutTree } from './directory/tree.ts';
import { surveyWriters } from './directory/writers.ts';
import { layoutFolder } from './path.ts';

/** Up to here a file that is no blob is read when it is opened: as long as a metadata document may be. */
const snapshotLimit = defaultLimits.bytes;

/** Less the umask. */
const fileMode = 0o644;

/**
 * An OCI image layout in a directory, which is made at the first write. Files appear whole or not at all, whenever the
 * process is killed; index.json is replaced only when the blobs before it are sure to last. Symbolic links inside the
 * layout are refused (UNSAFE_PATH). While something is written there is a folder `.oci-tar` in it.
 * NO_SPACE, READ_ONLY, FORBIDDEN as the file system says.
 */
export function directoryDriver(path: string): ImageDriver {
  return new DirectoryDriver(path);
}

class DirectoryDriver implements ImageDriver {
  readonly name: string;
  readonly access = 'random';
  readonly #tree: LayoutTree;
  readonly #staging: Staging;
  #ended: { readonly reason: unknown } | undefined;

  constructor(path: string) {
    this.name = path;
    this.#tree = new LayoutTree(path);
    this.#staging = new Staging(path);
  }

  async init(): Promise<void> {
    this.#checkOpen();
    await this.#tree.makeFolder('blobs/sha256');
  }

  async *list(prefix?: string): AsyncGenerator<{ readonly path: string; readonly size: number }> {
    yield* this.#tree.list(layoutFolder(prefix));
  }

  async reader(path: string): Promise<ByteSource> {
    const stats = await this.#tree.stat(path);
    if (stats === undefined) throw new OciTarError('NOT_FOUND', `${this.name} has no ${path}`, { subject: path });
    if (!stats.isFile()) throw new OciTarError('UNSUPPORTED', `${path} in ${this.name} is not a regular file`, { subject: path });
    const file = join(this.#tree.root, path);
    // A blob never changes. Any other file may be replaced between this look and the reading, and would come out cut off.
    return digestOfBlobPath(path) !== undefined || stats.size > snapshotLimit ? unopenedFile(file, stats.size) : snapshot(file);
  }

  async writer(path: string, options: { readonly mode?: number } = {}): Promise<FileWriter> {
    this.#checkOpen();
    await this.#tree.makeParents(path);
    const file = await this.#staging.open(options.mode ?? fileMode);
    return {
      write: (chunk) => file.write(chunk),
      commit: async () => {
        this.#checkOpen();
        await file.commit();
        // What this file speaks of must outlast a power failure that the file itself does.
        await this.#tree.sync();
        await this.#tree.adopt(file.path, path);
        await this.#tree.sync();
      },
      abort: (reason) => file.abort(reason),
    };
  }

  async blobWriter(options: BlobWriterOptions = {}): Promise<BlobWriter> {
    this.#checkOpen();
    return writeBlob(this.#tree, this.#staging, options);
  }

  async remove(path: string): Promise<void> {
    this.#checkOpen();
    await this.#tree.remove(path);
  }

  async exclusive<T>(work: () => Promise<T>, options: { readonly signal?: AbortSignal } = {}): Promise<T> {
    this.#checkOpen();
    return withLock(join(this.#tree.root, privateName, lockName), work, options);
  }

  async lease(options: { readonly signal?: AbortSignal } = {}): Promise<BlobLease> {
    this.#checkOpen();
    return leaseFile(await this.#staging.newPath(), (work) => this.exclusive(work, options));
  }

  writers(options: { readonly dryRun?: boolean } = {}): Promise<LayoutWriters> {
    return surveyWriters(this.#tree.root, options.dryRun ?? false);
  }

  close(): Promise<void> {
    return this.#end(new OciTarError('CONFLICT', `${this.name} has been closed`, { subject: this.name }));
  }

  abort(reason?: unknown): Promise<void> {
    return this.#end(reason ?? new OciTarError('CONFLICT', `writing to ${this.name} was given up`, { subject: this.name }));
  }

  /** Blobs that are in their place stay after an abort: each is whole, and nothing speaks of it unless it should. */
  async #end(reason: unknown): Promise<void> {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    await this.#staging.dispose(reason);
    await this.#tree.sync();
    await removeEmptyFolders(this.#tree.root);
  }

  #checkOpen(): void {
    if (this.#ended !== undefined) throw this.#ended.reason;
  }
}

/** A file as it is at one moment, all of one version. */
async function snapshot(path: string): Promise<ByteSource> {
  const bytes = readSmallFile(path);
  if (bytes !== undefined) return bytesSource(bytes);
  const file = await openFile(path);
  try {
    return bytesSource(await readSource(file, snapshotLimit, path));
  } finally {
    await file.close();
  }
}
