import { digestBytes } from '../bytes/digest.ts';
import { bytesSource, collect } from '../bytes/source.ts';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { PlatformChoice } from '../image/platform-choice.ts';
import type { Content } from '../image/plan.ts';
import type { StagedBlob, WriteSession } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { digestOfBlobPath, isComputable } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { parseIndex } from '../spec/image-index.ts';
import type { ImageIndex } from '../spec/image-index.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { mediaTypes } from '../spec/media-type.ts';
import { entries } from '../tar/entries.ts';
import type { TarEntryWithData } from '../tar/entries.ts';
import { ArchiveEntries } from './archive-entries.ts';
import { isRootFileSystem, noImages } from './archive-kind.ts';
import { entryPath } from './entry-path.ts';
import { indexPath, layoutPath, parseLayout } from './files.ts';
import { Wanted } from './wanted.ts';

export interface ReceiveOptions {
  readonly platforms?: PlatformChoice;
  readonly limits?: JsonLimits;
  /** Also what is listed only as a referrer; by default that is passed over. */
  readonly referrers?: boolean;
  /** How messages call the archive; `archive` by default. */
  readonly name?: string;
}

/** What came out of a pipe: the index, and the blobs that wait in the session's staging. */
export interface Received {
  readonly index: ImageIndex;
  /** The same as it is written. */
  readonly indexBytes: Uint8Array;
  readonly staged: ReadonlyMap<Digest, StagedBlob>;
  /** Blobs that came and were passed over, since the target has them. */
  readonly present: ReadonlySet<Digest>;
  /** Blobs that came under a digest which cannot be computed here; they were passed over. */
  readonly unverifiable: ReadonlySet<Digest>;
}

/** What came out of a pipe that has no OCI layout at its top: every file of it, in staging. What they are is still to be seen. */
export interface ReceivedFiles {
  readonly files: ArchiveEntries<StagedBlob>;
}

/** So many files that are no blobs are kept; a docker archive has up to three for each layer. */
const fileLimit = 100_000;

/**
 * Reads an image archive (not compressed) from a pipe, once, front to back. Each blob that may be needed is staged in the
 * session under the digest that its name promises; what the session has already, or what nothing needs, is passed over.
 * As long as no `oci-layout` has come, every other file is staged too, since the archive may be docker's.
 * INVALID_LAYOUT when it is no image archive; errors of the tar; DIGEST_MISMATCH.
 */
export async function receiveArchive(archive: ByteStream, session: WriteSession, options: ReceiveOptions = {}): Promise<Received | ReceivedFiles> {
  const receiver = new Receiver(session, options);
  for await (const entry of entries(archive)) await receiver.take(entry);
  return receiver.finish();
}

class Receiver {
  readonly #session: WriteSession;
  readonly #limits: JsonLimits;
  readonly #name: string;
  readonly #wanted: Wanted;
  readonly #staged = new Map<Digest, StagedBlob>();
  readonly #unverifiable = new Set<Digest>();
  readonly #present = new Set<Digest>();
  readonly #files: ArchiveEntries<StagedBlob>;
  readonly #tops = new Set<string>();
  #fileCount = 0;
  /** An `oci-layout` has come. */
  #isLayout = false;
  /** Not looked at before `oci-layout` has come: without that, docker's manifest.json counts, which may need other blobs. */
  #indexBytes: Uint8Array | undefined;
  #index: Pick<Received, 'index' | 'indexBytes'> | undefined;

  constructor(session: WriteSession, { limits = defaultLimits, name = 'archive', platforms, referrers }: ReceiveOptions) {
    this.#session = session;
    this.#limits = limits;
    this.#name = name;
    this.#wanted = new Wanted(platforms, limits, referrers);
    this.#files = new ArchiveEntries(name);
  }

  async take(entry: TarEntryWithData): Promise<void> {
    if (entry.type !== 'file') return this.#files.addOther(entry.path, entry.type, entry.linkname);
    const path = entryPath(entry.path);
    if (path === layoutPath || path === indexPath) return this.#document(path, entry);
    const digest = digestOfBlobPath(path.split('/').slice(-3).join('/'));
    if (digest !== undefined && isComputable(digest)) return this.#blob(path, digest, entry);
    if (digest !== undefined) this.#unverifiable.add(digest);
    else if (!this.#isLayout) await this.#file(path, entry);
  }

  async finish(): Promise<Received | ReceivedFiles> {
    if (!this.#isLayout) return { files: this.#files };
    const found = this.#index ?? (await this.#linkedIndex());
    await this.#followLinks();
    return { ...found, staged: this.#staged, present: this.#present, unverifiable: this.#unverifiable };
  }

  async #document(path: string, entry: TarEntryWithData): Promise<void> {
    const bytes = await collect(entry.data, this.#limits.bytes, `${this.#name}: ${path}`);
    const file = { digest: await digestBytes(bytes), size: bytes.byteLength, source: () => bytesSource(bytes) };
    if (this.#add(path, file, entry) !== undefined) return;
    if (path === layoutPath) {
      parseLayout(bytes, this.#name, this.#limits);
      this.#isLayout = true;
    } else this.#indexBytes = bytes;
    if (this.#isLayout && this.#indexBytes !== undefined) await this.#begin(this.#indexBytes);
  }

  async #linkedIndex(): Promise<Pick<Received, 'index' | 'indexBytes'>> {
    if (this.#files.has(indexPath)) return this.#begin(await this.#bytesOf(this.#files.find(indexPath)));
    throw new OciTarError('INVALID_LAYOUT', `${this.#name} is not an OCI image archive: it has no ${indexPath}`, { subject: this.#name, side: 'source' });
  }

  async #begin(bytes: Uint8Array): Promise<Pick<Received, 'index' | 'indexBytes'>> {
    const index = parseIndex(bytes, { mediaType: mediaTypes.index, limits: this.#limits, subject: `${this.#name}: ${indexPath}` });
    this.#index = { index, indexBytes: bytes };
    this.#wanted.begin(index);
    // Documents that came before the index could not be told from other blobs.
    await this.#readStaged();
    return this.#index;
  }

  /** A blob of the layout, or one in a folder that may turn out to be the layout's. */
  async #blob(path: string, digest: Digest, entry: TarEntryWithData): Promise<void> {
    const atTop = digestOfBlobPath(path) !== undefined;
    if (!atTop && this.#isLayout) return;
    const earlier = this.#staged.get(digest);
    if (earlier !== undefined) {
      if (!this.#isLayout) this.#files.addFile(path, earlier);
      return;
    }
    const standing = this.#wanted.standing(digest);
    if (standing === 'unneeded') return;
    if (standing === 'needed' && (await this.#session.has({ digest, size: entry.size }))) {
      this.#present.add(digest);
      return;
    }
    const blob = await this.#stage(entry, digest);
    this.#staged.set(digest, blob);
    // Of a layout's 100,000 blobs the digests are enough.
    if (!this.#isLayout) this.#files.addFile(path, blob);
    // At once, so that an import that is cut off later need not take it again.
    if (standing === 'needed') await this.#session.push(wantedContent(blob));
    if (standing === 'document') await this.#readStaged();
  }

  async #file(path: string, entry: TarEntryWithData): Promise<void> {
    this.#tops.add(path.split('/', 1)[0] ?? '');
    if (isRootFileSystem(this.#tops)) throw noImages(this.#name, [...this.#tops]);
    this.#fileCount += 1;
    if (this.#fileCount > fileLimit) throw new OciTarError('LIMIT_EXCEEDED', `${this.#name} has more than ${fileLimit} files, and none of them is oci-layout`, { limit: fileLimit, subject: this.#name });
    this.#add(path, await this.#stage(entry), entry);
  }

  /** Entries of one name must be the same. */
  #add(path: string, file: StagedBlob, { offset }: TarEntryWithData): StagedBlob | undefined {
    const earlier = this.#files.addFile(path, file);
    if (earlier === undefined || earlier.digest === file.digest) return earlier;
    throw new OciTarError('INVALID_LAYOUT', `${this.#name} has two different entries called ${path}`, { subject: this.#name, offset });
  }

  #stage({ data, size }: TarEntryWithData, digest?: Digest): Promise<StagedBlob> {
    const { stage } = this.#session;
    if (stage !== undefined) return stage.call(this.#session, data, { size, ...(digest !== undefined && { digest }) });
    throw new OciTarError('UNSUPPORTED', 'the target cannot take an archive from a pipe', { side: 'target', hint: 'Give it the archive as a file.' });
  }

  /** A link under the name of a blob stands for the file that it leads to. */
  async #followLinks(): Promise<void> {
    for (const path of this.#files.links()) {
      const digest = digestOfBlobPath(path);
      if (digest === undefined || this.#staged.has(digest) || this.#present.has(digest)) continue;
      if (this.#wanted.standing(digest) === 'unneeded') continue;
      this.#staged.set(digest, this.#files.find(path));
      await this.#readStaged();
    }
  }

  #bytesOf(file: StagedBlob): Promise<Uint8Array> {
    return collect(file.source().read(), this.#limits.bytes, this.#name);
  }
  /** Reads the documents that are staged, and the ones that these refer to, as far as they have come. */
  async #readStaged(): Promise<void> {
    const needed: Descriptor[] = [];
    for (let digest = this.#wanted.nextDocument(this.#staged); digest !== undefined; digest = this.#wanted.nextDocument(this.#staged)) {
      const blob = this.#staged.get(digest);
      if (blob === undefined) break;
      for (const child of this.#wanted.read(digest, await collect(blob.source().read(), this.#limits.bytes, digest))) needed.push(child);
    }
    // All at once: to hold each for itself when it is looked for takes a millisecond.
    if (needed.length > 0) await this.#session.hold?.(needed);
  }
}

/** A config or layer, of which nothing is known here but what it is called. */
function wantedContent(blob: StagedBlob): Content {
  const { digest, size } = blob;
  return { descriptor: { mediaType: 'application/octet-stream', digest, size }, role: 'other', height: 0, origins: [], read: () => blob.source().read() };
}
