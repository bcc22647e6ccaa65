import { readdir } from 'node:fs/promises';
import { bytesSource } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import { directoryDriver } from '../drivers/directory.ts';
import { privateName } from '../drivers/directory/private-folder.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import type { Plan } from '../image/plan.ts';
import type { ImageStore, NamedImage, WriteSession } from '../image/store.ts';
import { dirFileOf, dirManifestPath, dirPathsOf, hasDirVersion, readDirRoot } from '../layout/dir/files.ts';
import type { DirRoot } from '../layout/dir/files.ts';
import { dirSession } from '../layout/dir/session.ts';
import type { ImageDriver } from '../layout/driver.ts';
import { findImage } from '../layout/find.ts';
import { layoutPath } from '../layout/files.ts';
import { errnoOf, mapErrno } from '../runtime/node/errno.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isIndexType, isManifestType } from '../spec/media-type.ts';

export interface OpenDirOptions {
  /** To be written: a directory that is missing or empty counts as one without an image. */
  readonly mayBeNew?: boolean;
}

/**
 * The one image, without a name, of a directory as `skopeo copy` to `dir:` writes it. Symbolic links in it are refused
 * (UNSAFE_PATH). NOT_FOUND, or INVALID_LAYOUT where it is none; when it is written, CONFLICT where it is neither empty nor one.
 */
export function dirStore(path: string, options: OpenDirOptions = {}): ImageStore {
  return new DirStore(path, options);
}

class DirStore implements ImageStore {
  readonly name: string;
  readonly #driver: ImageDriver;
  readonly #mayBeNew: boolean;

  constructor(path: string, options: OpenDirOptions) {
    this.name = path;
    this.#driver = directoryDriver(path);
    this.#mayBeNew = options.mayBeNew ?? false;
  }

  async *images(): AsyncIterable<NamedImage> {
    const root = await this.#root();
    if (root !== undefined) yield { descriptor: root.descriptor };
  }

  async resolve(reference: string): Promise<NamedImage> {
    const root = await this.#root();
    return findImage(root === undefined ? [] : [root.descriptor], reference, this.name);
  }

  async open(blob: Descriptor): Promise<ByteSource> {
    const isDocument = isIndexType(blob.mediaType) || isManifestType(blob.mediaType);
    if (isDocument) {
      const root = await this.#root();
      if (root?.descriptor.digest === blob.digest) return ofSize(bytesSource(root.bytes), blob, this.name);
    }
    let found: ByteSource | undefined;
    for (const path of dirPathsOf(blob.digest, isDocument)) {
      const source = await this.#reader(path);
      if (source?.size === blob.size) return source;
      found ??= source;
    }
    if (found !== undefined) return ofSize(found, blob, this.name);
    throw new OciTarError('NOT_FOUND', `${this.name} has no blob ${blob.digest} (${blob.mediaType}, ${blob.size} bytes)`, { subject: blob.digest });
  }

  async *blobs(): AsyncIterable<Pick<Descriptor, 'digest' | 'size'>> {
    for await (const { path, size } of this.#driver.list()) {
      const file = dirFileOf(path);
      if (file !== undefined && file.kind !== 'signature') yield { digest: file.digest, size };
    }
  }

  async begin(plan?: Plan, options: { readonly signal?: AbortSignal } = {}): Promise<WriteSession> {
    if (!(await hasDirVersion(this.#driver))) await this.#checkEmpty();
    return dirSession(this.#driver, plan, options.signal);
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  async #root(): Promise<DirRoot | undefined> {
    if (await hasDirVersion(this.#driver)) {
      const root = await readDirRoot(this.#driver);
      if (root !== undefined || this.#mayBeNew) return root;
      throw new OciTarError('INVALID_LAYOUT', `${this.name} has no ${dirManifestPath}: it was not written to its end`, { subject: this.name });
    }
    if (this.#mayBeNew) {
      await this.#checkEmpty();
      return undefined;
    }
    const names = await namesIn(this.name);
    if (names === undefined) throw new OciTarError('NOT_FOUND', `${this.name} does not exist`, { side: 'source', subject: this.name });
    throw new OciTarError('INVALID_LAYOUT', `${this.name} is no directory as skopeo writes it: it has no file "version"`, {
      subject: this.name,
      ...(names.includes(layoutPath) ? { hint: `It is an OCI image layout: oci:${this.name}` } : {}),
    });
  }

  /** CONFLICT where a directory holds what is not ours to mix with. */
  async #checkEmpty(): Promise<void> {
    const [other] = ((await namesIn(this.name)) ?? []).filter((name) => name !== privateName);
    if (other === undefined) return;
    throw new OciTarError('CONFLICT', `${this.name} is not empty, and no directory as skopeo writes it: it has ${JSON.stringify(other)} and no file "version"`, {
      side: 'target',
      subject: this.name,
      hint: 'Name a directory that does not exist yet.',
    });
  }

  async #reader(path: string): Promise<ByteSource | undefined> {
    try {
      return await this.#driver.reader(path);
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }
}

async function namesIn(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw mapErrno(error, path);
  }
}

function ofSize(source: ByteSource, { digest, size }: Descriptor, where: string): ByteSource {
  if (source.size === size) return source;
  throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${source.size} bytes in ${where}, expected ${size}`, { expected: size, actual: source.size, subject: digest });
}
