import { createSpool } from '#runtime/spool';
import { verified } from '../../bytes/digest.ts';
import { abortable, counted } from '../../bytes/stream.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { codecByName } from '../../compression/codecs.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Content, Plan } from '../../image/plan.ts';
import type { WriteSession } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { stringifyJson } from '../../spec/json.ts';
import { dockerManifestPath } from './files.ts';
import { writtenOf } from './written.ts';
import type { Written, WrittenFile } from './written.ts';

/** The files of an archive that is written front to back. A failure in the middle of one spoils the archive for good. */
export interface ArchiveRecords {
  file(header: { readonly name: string; readonly mode: number; readonly size: number }, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  end(): Promise<void>;
  abort(reason?: unknown): Promise<void>;
}

const mode = 0o444;

/**
 * Writes a plan's images as a docker archive: `manifest.json`, `<hex>.json` for each config, and the layers, plain as
 * `<diffID>.tar` or gzip as `<digest>.tar.gz`. Nothing is opened where the images do not fit into one. The same images
 * give the same bytes.
 */
export async function dockerArchiveSession(open: () => Promise<ArchiveRecords>, plan: Plan, signal?: AbortSignal): Promise<WriteSession> {
  const written = await writtenOf(plan);
  const records = await open();
  try {
    const manifest = stringifyJson(written.items);
    // First, so that whoever reads the archive from a pipe knows what comes.
    await records.file({ name: dockerManifestPath, mode, size: manifest.byteLength }, [manifest]);
  } catch (error) {
    await records.abort(error);
    throw error;
  }
  return new DockerArchiveSession(records, plan, written, signal);
}

type PushOptions = Parameters<WriteSession['push']>[1];

class DockerArchiveSession implements WriteSession {
  readonly sequential = true;
  readonly #records: ArchiveRecords;
  readonly #plan: Plan;
  readonly #written: Written;
  readonly #signal: AbortSignal | undefined;
  readonly #pushed = new Set<Digest>();
  /** Two blobs of one diffID become one file. */
  readonly #paths = new Set<string>();

  constructor(records: ArchiveRecords, plan: Plan, written: Written, signal: AbortSignal | undefined) {
    this.#records = records;
    this.#plan = plan;
    this.#written = written;
    this.#signal = signal;
  }

  /** Manifests and indexes have no place in a docker archive: nothing needs to be sent. */
  async has({ digest }: Pick<Descriptor, 'digest'>): Promise<boolean> {
    return this.#pushed.has(digest) || !this.#written.files.has(digest);
  }

  async push(content: Content, options: PushOptions = {}): Promise<void> {
    const { descriptor } = content;
    const file = this.#written.files.get(descriptor.digest);
    if (file === undefined || this.#pushed.has(descriptor.digest)) return;
    const verifiedBytes = verified(content.read(), descriptor);
    const counting = options.onBytes === undefined ? verifiedBytes : counted(verifiedBytes, options.onBytes);
    const bytes = abortable(ofSource(counting), options.signal ?? this.#signal);
    if (this.#paths.has(file.path)) await drain(bytes);
    else if (file.compression === 'zstd') await this.#unpacked(file, bytes);
    else await this.#records.file({ name: file.path, mode, size: descriptor.size }, heldBack(bytes));
    this.#paths.add(file.path);
    this.#pushed.add(descriptor.digest);
  }

  /** A record needs its size before its bytes, which nothing tells but unpacking. */
  async #unpacked({ path, compression, diffID }: WrittenFile, bytes: ByteStream): Promise<void> {
    const spool = await createSpool();
    try {
      const plain = verified(codecByName(compression).decompress(bytes), { digest: diffID }, `layer ${path}`);
      for await (const chunk of ofSource(plain)) await spool.write(chunk);
      const source = await spool.source();
      await this.#records.file({ name: path, mode, size: source.size }, source.read());
    } finally {
      await spool.dispose();
    }
  }

  async name(reference: string | undefined, root: Content): Promise<void> {
    const planned = this.#plan.images.some((image) => image.name === reference && image.descriptor.digest === root.descriptor.digest);
    if (!planned) throw new OciTarError('CONFLICT', `${reference ?? root.descriptor.digest} is not among the images that this archive was begun with`);
  }

  async end(): Promise<void> {
    const missing = [...this.#written.files.keys()].filter((digest) => !this.#pushed.has(digest));
    if (missing.length > 0) throw new OciTarError('CONFLICT', `the archive cannot be ended: ${missing.length} files of its plan have not come, ${missing[0]} first`);
    await this.#records.end();
  }

  async abort(reason?: unknown): Promise<void> {
    await this.#records.abort(reason);
  }
}

/** Keeps the last piece until the stream has ended well: a record of bytes that turn out wrong stays incomplete. */
async function* heldBack(bytes: ByteStream): ByteStream {
  let held: Uint8Array | undefined;
  for await (const chunk of bytes) {
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}

/** Tells the side of what goes wrong in reading. */
async function* ofSource(bytes: ByteStream): ByteStream {
  try {
    yield* bytes;
  } catch (error) {
    if (!isOciTarError(error) || error.details.side !== undefined) throw error;
    throw new OciTarError(error.code, error.message, { ...error.details, side: 'source', cause: error });
  }
}

async function drain(bytes: ByteStream): Promise<void> {
  for await (const chunk of bytes) void chunk;
}
