import { randomBytes } from 'node:crypto';
import { Verifier, verified } from '../../bytes/digest.ts';
import { bytesSource, collect } from '../../bytes/source.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Content } from '../../image/plan.ts';
import type { ImageStore, StagedBlob, WriteSession } from '../../image/store.ts';
import { commitFailure, pump } from '../../layout/pump.ts';
import { annotationKeys } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { hashAlgorithm, isDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { parseDocument } from '../../spec/document.ts';
import { defaultLimits } from '../../spec/limits.ts';
import { isIndexType, isManifestType } from '../../spec/media-type.ts';
import type { CallOptions, Connection } from './connection.ts';
import { blobInfo, blobSource, setLabels } from './content.ts';
import { putImage } from './image.ts';
import { missingLabels, referrerLabel, sourceLabels } from './labels.ts';
import { Labeller } from './labeller.ts';
import { Lease } from './lease.ts';
import { unpackImage } from './unpack.ts';
import type { UnpackOptions } from './unpack.ts';
import { Upload } from './upload.ts';

export interface SessionOptions {
  /** Makes root filesystems of the images before they get their names. */
  readonly unpack?: UnpackOptions;
  /** For every image that is named. */
  readonly labels?: Readonly<Record<string, string>>;
}

type PushOptions = NonNullable<Parameters<WriteSession['push']>[1]>;
type Blob = Pick<Descriptor, 'digest' | 'size'>;

/** Where the bytes of a blob come from; `again` where they can be read a second time. */
interface Bytes {
  read(): ByteStream;
  readonly again: boolean;
}

/** Writes into containerd under a lease: what the session has found or brought stays until the names refer to it. */
export async function containerdSession(connection: Connection, store: ImageStore, options: SessionOptions, signal?: AbortSignal): Promise<WriteSession> {
  return new ContainerdSession(await Lease.start(connection, { signal }), store, options, signal);
}

class ContainerdSession implements WriteSession {
  readonly #lease: Lease;
  readonly #connection: Connection;
  readonly #store: ImageStore;
  readonly #options: SessionOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #labeller: Labeller;
  readonly #held = new Set<Digest>();
  readonly #names: { readonly reference: string | undefined; readonly descriptor: Descriptor }[] = [];

  constructor(lease: Lease, store: ImageStore, options: SessionOptions, signal: AbortSignal | undefined) {
    this.#lease = lease;
    this.#connection = lease.connection;
    this.#store = store;
    this.#options = options;
    this.#signal = signal;
    this.#labeller = new Labeller(lease.connection, { signal });
  }

  async has(blob: Blob): Promise<boolean> {
    const isThere = async () => (await blobInfo(this.#connection, blob.digest, this.#calls()))?.size === blob.size;
    if (!(await isThere())) return false;
    if (this.#held.has(blob.digest)) return true;
    await this.#hold(blob.digest);
    return isThere();
  }

  async push(content: Content, options: PushOptions = {}): Promise<void> {
    const { descriptor } = content;
    const isDocument = isManifestType(descriptor.mediaType) || isIndexType(descriptor.mediaType);
    if (!isDocument || descriptor.size > defaultLimits.bytes) return this.#send(descriptor, { read: () => content.read(), again: true }, {}, options);
    // With its labels from the first moment on it needs no second transaction, which costs containerd a sync of its disk.
    const bytes = await collect(verified(content.read(), descriptor), defaultLimits.bytes, descriptor.digest);
    const document = parseDocument(bytes, descriptor);
    const labels = document === undefined ? {} : this.#labeller.labelsOf(descriptor.digest, document);
    await this.#send(descriptor, { read: () => bytesSource(bytes).read(), again: true }, labels, options);
  }

  async stage(bytes: ByteStream, expected: { readonly digest?: Digest; readonly size?: number } = {}): Promise<StagedBlob> {
    const { digest, size } = expected;
    if (digest === undefined) return this.#stageUnknown(bytes, size);
    const staged = await this.#sendOnce(digest, size, { read: () => bytes, again: false }, {}, {});
    return { ...staged, source: () => blobSource(this.#connection, staged, this.#calls()) };
  }

  async name(reference: string | undefined, root: Content): Promise<void> {
    const { digest } = root.descriptor;
    if (reference === undefined && root.descriptor.annotations?.[annotationKeys.manifestSubject] === undefined) {
      throw new OciTarError('INVALID_ARGUMENT', `${digest} has no name, and containerd keeps images only by name`, { side: 'target', subject: digest, hint: 'Give it one: containerd:NAME.' });
    }
    this.#names.push({ reference, descriptor: root.descriptor });
  }

  async end(): Promise<void> {
    this.#signal?.throwIfAborted();
    for (const { descriptor } of this.#names) {
      await this.#labeller.label(descriptor);
      await this.#labelOrigin(descriptor);
      await this.#labelSubject(descriptor);
    }
    const { unpack, labels = {} } = this.#options;
    const roots = new Map(this.#names.map(({ descriptor }) => [descriptor.digest, descriptor]));
    for (const root of roots.values()) {
      if (unpack !== undefined && root.annotations?.[annotationKeys.manifestSubject] === undefined) await unpackImage(this.#lease, this.#store, root, unpack, this.#calls());
    }
    for (const { reference, descriptor } of this.#names) {
      if (reference !== undefined) await putImage(this.#connection, reference, descriptor, labels, this.#calls());
    }
    await this.#lease.end();
  }

  async abort(): Promise<void> {
    await this.#lease.end({ sync: true });
  }

  async #send({ digest, size }: Blob, bytes: Bytes, labels: Readonly<Record<string, string>>, options: PushOptions): Promise<void> {
    try {
      await this.#sendOnce(digest, size, bytes, labels, options);
    } catch (error) {
      if (!(error instanceof Tainted)) throw error;
      await this.#sendOnce(digest, size, { ...bytes, again: false }, labels, options.signal === undefined ? {} : { signal: options.signal });
    }
  }

  /** Tainted where what an earlier upload had left may be what was wrong. */
  async #sendOnce(digest: Digest, size: number | undefined, bytes: Bytes, labels: Readonly<Record<string, string>>, options: PushOptions): Promise<Blob> {
    checkAlgorithm(digest);
    const signal = this.#signals(options.signal);
    const upload = await Upload.start(this.#connection, { ref: `oci-tar-${digest}`, digest, size, resume: bytes.again, signal });
    if (upload === undefined) return this.#alreadyThere(digest, size, labels);
    let sent = 0;
    const onBytes = (count: number) => {
      sent += count;
      options.onBytes?.(count);
    };
    await pump(bytes.read(), upload, { ...(signal === undefined ? {} : { signal }), onBytes });
    try {
      if (!(await upload.commit(digest, labels))) return await this.#alreadyThere(digest, sent, labels);
    } catch (error) {
      if (bytes.again && upload.resumed > 0 && isOciTarError(error, 'DIGEST_MISMATCH')) throw new Tainted();
      throw commitFailure(error, signal);
    }
    this.#held.add(digest);
    return { digest, size: sent };
  }

  async #stageUnknown(bytes: ByteStream, size: number | undefined): Promise<StagedBlob> {
    const upload = await Upload.start(this.#connection, { ref: `oci-tar-${randomBytes(16).toString('hex')}`, size, signal: this.#signal });
    if (upload === undefined) throw new OciTarError('ENGINE', 'containerd took a new upload for an old blob', { side: 'target' });
    const verifier = new Verifier(size === undefined ? {} : { size });
    try {
      await pump(digested(bytes, verifier), upload, this.#signal === undefined ? {} : { signal: this.#signal });
      const staged = await verifier.finish();
      if (await upload.commit(staged.digest)) this.#held.add(staged.digest);
      else await this.#alreadyThere(staged.digest, staged.size, {});
      return { ...staged, source: () => blobSource(this.#connection, staged, this.#calls()) };
    } catch (error) {
      throw commitFailure(error, this.#signal);
    } finally {
      verifier.dispose();
    }
  }

  /** Somebody has brought it in the meantime, or another namespace's came to be seen here. */
  async #alreadyThere(digest: Digest, size: number | undefined, labels: Readonly<Record<string, string>>): Promise<Blob> {
    await this.#hold(digest);
    const info = await blobInfo(this.#connection, digest, this.#calls());
    if (info === undefined) throw new OciTarError('CONFLICT', `${digest} was in containerd, and was removed at this moment`, { side: 'target', subject: digest, hint: 'Run the same again.' });
    if (size !== undefined && info.size !== size) {
      throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${info.size} bytes in containerd, expected ${size}`, { expected: size, actual: info.size, subject: digest, side: 'source' });
    }
    await setLabels(this.#connection, digest, missingLabels(labels, info.labels), this.#calls());
    return { digest, size: info.size };
  }

  async #hold(digest: Digest): Promise<void> {
    await this.#lease.add('content', digest, this.#calls());
    this.#held.add(digest);
  }

  /** What the annotations of an image tell of repositories that have it, containerd keeps with its content. */
  async #labelOrigin({ digest, annotations }: Descriptor): Promise<void> {
    if (Object.keys(sourceLabels(annotations, {})).length === 0) return;
    const { labels = {} } = (await blobInfo(this.#connection, digest, this.#calls())) ?? {};
    await setLabels(this.#connection, digest, missingLabels(sourceLabels(annotations, labels), labels), this.#calls());
  }

  /** A referrer is kept by its subject. */
  async #labelSubject(referrer: Descriptor): Promise<void> {
    const subject = referrer.annotations?.[annotationKeys.manifestSubject];
    if (!isDigest(subject)) return;
    const info = await blobInfo(this.#connection, subject, this.#calls());
    if (info !== undefined) await setLabels(this.#connection, subject, missingLabels(referrerLabel(referrer), info.labels), this.#calls());
  }

  #calls(): CallOptions {
    return { signal: this.#signal };
  }

  #signals(signal: AbortSignal | undefined): AbortSignal | undefined {
    const signals = [signal, this.#signal].filter((one) => one !== undefined);
    return signals.length < 2 ? signals[0] : AbortSignal.any(signals);
  }
}

/** An upload that went on from what another had left, and came to another digest. */
class Tainted extends Error {}

async function* digested(bytes: ByteStream, verifier: Verifier): ByteStream {
  for await (const chunk of bytes) {
    await verifier.update(chunk);
    yield chunk;
  }
}

function checkAlgorithm(digest: Digest): void {
  if (hashAlgorithm(digest) === 'sha256') return;
  throw new OciTarError('UNSUPPORTED', `${digest} cannot be kept by containerd, which knows only sha256`, { side: 'target', subject: digest });
}
