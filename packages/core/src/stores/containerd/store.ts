import { verified } from '../../bytes/digest.ts';
import type { ByteSource } from '../../bytes/types.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { byDigest } from '../../image/referrers.ts';
import type { ImageStore, NamedImage, ReferrersOptions, WriteSession } from '../../image/store.ts';
import type { Plan } from '../../image/plan.ts';
import { findImage } from '../../layout/find.ts';
import { completed } from '../../layout/names.ts';
import { LayoutReferrers } from '../../layout/referrers.ts';
import { archiveName } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { isDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { namespaceName, socketPath } from './address.ts';
import { Connection } from './connection.ts';
import { allBlobs, blobInfo, blobSource, deleteBlob } from './content.ts';
import { engineError } from './failure.ts';
import { createNamespace, deleteImage, entryOf, getImage, listImages, namedImage, namespaces } from './image.ts';
import { referrersIn } from './labels.ts';
import { knownNamespaces } from './location.ts';
import { versionAnswer } from './messages.ts';
import { readReferrer } from './referrer.ts';
import { containerdSession } from './session.ts';
import type { SessionOptions } from './session.ts';

export interface ContainerdOptions extends SessionOptions {
  /** The path of its socket; CONTAINERD_ADDRESS by default, else /run/containerd/containerd.sock. */
  readonly address?: string;
  /** CONTAINERD_NAMESPACE by default, else `default`. */
  readonly namespace?: string;
  /** Where those are looked up; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends whatever is under way. */
  readonly signal?: AbortSignal;
}

/** A store of containerd's, with what only containerd has. */
export interface ContainerdStore extends ImageStore {
  readonly address: string;
  readonly namespace: string;
  begin(plan?: Plan, options?: { readonly signal?: AbortSignal }): Promise<WriteSession>;
  /** The daemon's own version, such as `1.6.20`. */
  version(): Promise<string>;
}

/**
 * The images of one namespace of a running containerd (1.6 and later), over its socket. ENGINE when nothing answers there, FORBIDDEN
 * where this user may not use it. A call that fails is ENGINE, or the code that its status stands for.
 */
export async function containerdStore(options: ContainerdOptions = {}): Promise<ContainerdStore> {
  const env = options.env ?? process.env;
  const namespace = namespaceName(options.namespace, env);
  options.signal?.throwIfAborted();
  return new Store(await Connection.open(socketPath(options.address, env), namespace), options);
}

class Store implements ContainerdStore {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  readonly #connection: Connection;
  readonly #options: ContainerdOptions;
  readonly #listed: LayoutReferrers;

  constructor(connection: Connection, options: ContainerdOptions) {
    this.address = connection.address;
    this.namespace = connection.namespace;
    this.name = `containerd:${connection.namespace}/`;
    this.#connection = connection;
    this.#options = options;
    this.#listed = new LayoutReferrers(this, async () => (await listImages(this.#connection, this.#calls())).map(entryOf));
  }

  async version(): Promise<string> {
    try {
      return (await this.#connection.call('Version/Version', {}, versionAnswer, this.#calls())).version;
    } catch (error) {
      throw engineError(error, 'tell its version', this.address, this.#options.signal);
    }
  }

  async *images(): AsyncIterable<NamedImage> {
    const records = await listImages(this.#connection, this.#calls());
    if (records.length === 0) await this.#checkNamespace('');
    for (const record of records) yield namedImage(this.#connection, record, this.#calls());
  }

  async resolve(reference: string): Promise<NamedImage> {
    for (const name of new Set([reference, completed(reference)])) {
      const record = name === '' ? undefined : await getImage(this.#connection, name, this.#calls());
      if (record !== undefined) return namedImage(this.#connection, record, this.#calls());
    }
    const records = await listImages(this.#connection, this.#calls());
    if (records.length === 0) await this.#checkNamespace(reference);
    const found = findImage(records.map(entryOf), reference, this.name);
    const record = records.find(({ name, target }) => name === archiveName(found.descriptor.annotations) && target.digest === found.descriptor.digest);
    if (record === undefined) return found;
    const image = await namedImage(this.#connection, record, this.#calls());
    return found.name === undefined ? image : { ...image, name: found.name };
  }

  async open(blob: Descriptor): Promise<ByteSource> {
    const { digest, size, mediaType } = blob;
    const info = await blobInfo(this.#connection, digest, this.#calls());
    if (info === undefined) throw new OciTarError('NOT_FOUND', `${this.name} has no blob ${digest} (${mediaType}, ${size} bytes)`, { subject: digest });
    if (info.size !== size) {
      throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${info.size} bytes in ${this.name}, expected ${size}`, { expected: size, actual: info.size, subject: digest });
    }
    return blobSource(this.#connection, info, this.#calls());
  }

  /** By the labels of the subject, and as in a layout among the images that are listed here. */
  async *referrers(subject: Descriptor, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    const found = new Map<Digest, Descriptor>();
    const info = await blobInfo(this.#connection, subject.digest, this.#calls());
    for (const digest of referrersIn(info?.labels ?? {})) {
      const referrer = isDigest(digest) ? await readReferrer(this.#connection, digest, subject, options, this.#calls()) : undefined;
      if (referrer !== undefined) found.set(referrer.digest, referrer);
    }
    for await (const referrer of this.#listed.of(subject, options)) if (!found.has(referrer.digest)) found.set(referrer.digest, referrer);
    yield* [...found.values()].sort(byDigest);
  }

  async begin(_plan?: Plan, { signal }: { readonly signal?: AbortSignal } = {}): Promise<WriteSession> {
    const known = this.#options.signal;
    const signals = [signal, known].filter((one) => one !== undefined);
    const either = signals.length < 2 ? signals[0] : AbortSignal.any(signals);
    if (!(await namespaces(this.#connection, { signal: either })).includes(this.namespace)) {
      // A name such as ghcr.io is likelier the host of an image than a namespace that should be made.
      if (this.namespace.includes('.') && !knownNamespaces.has(this.namespace)) throw this.#noNamespace('target');
      await createNamespace(this.#connection, this.namespace, { signal: either });
    }
    return containerdSession(this.#connection, this, this.#options, either);
  }

  async remove(reference: string): Promise<void> {
    const { name } = await this.resolve(reference);
    if (name !== undefined) await deleteImage(this.#connection, name, this.#calls());
  }

  blobs(): AsyncIterable<Pick<Descriptor, 'digest' | 'size'>> {
    return allBlobs(this.#connection, this.#calls());
  }

  async discardDamaged({ digest }: Pick<Descriptor, 'digest'>): Promise<boolean> {
    const info = await blobInfo(this.#connection, digest, this.#calls());
    if (info === undefined) return false;
    try {
      for await (const chunk of verified(blobSource(this.#connection, info, this.#calls()).read(), info)) void chunk;
      return false;
    } catch (error) {
      if (!isOciTarError(error, 'DIGEST_MISMATCH') && !isOciTarError(error, 'SIZE_MISMATCH')) throw error;
    }
    await deleteBlob(this.#connection, digest);
    return true;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** NOT_FOUND for a namespace that does not exist; `default` is there even before somebody writes to it. */
  async #checkNamespace(reference: string): Promise<void> {
    if (this.namespace === 'default' || (await namespaces(this.#connection, this.#calls())).includes(this.namespace)) return;
    throw this.#noNamespace('source', reference);
  }

  #noNamespace(side: 'source' | 'target', reference = ''): OciTarError {
    const meant = `For an image whose name begins with ${this.namespace}/, write containerd:/${this.namespace}/${reference === '' ? '…' : reference}`;
    const hint = side === 'source' ? `${meant}.` : `${meant}; to make the namespace: ctr namespaces create ${this.namespace}.`;
    return new OciTarError('NOT_FOUND', `containerd has no namespace ${this.namespace}`, { side, subject: this.namespace, hint });
  }

  #calls(): { readonly signal?: AbortSignal | undefined } {
    return { signal: this.#options.signal };
  }
}
