import { digestStream, verified } from '../bytes/digest.ts';
import { counted } from '../bytes/stream.ts';
import type { Codec } from '../compression/codec.ts';
import { codecForMediaType } from '../compression/codecs.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { parseConfig } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm, isComputable } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { childrenOf } from '../spec/document.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import type { Manifest } from '../spec/manifest.ts';
import { isConfigType, isForeignType, isLayerType } from '../spec/media-type.ts';
import { roleOf } from './children.ts';
import { eachOf } from './each.ts';
import { isContentFault } from './fault.ts';
import { hasVoucher, openVouchedToc } from './layer-toc.ts';
import { describedBy } from './platform-choice.ts';
import { openBlob, readBlob, readDocument } from './read.ts';
import type { ImageStore, NamedImage } from './store.ts';
import { verifyUnreferenced } from './verify-unreferenced.ts';
import type { UnreferencedReport } from './verify-unreferenced.ts';

export interface VerifyOptions {
  readonly limits?: JsonLimits;
  /** Blobs read at a time; 2 by default. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
  /** Also the blobs of the store that belong to none of the images. */
  readonly unreferenced?: boolean;
}

export interface VerifyProblem {
  /** The image under whose name the problem was met first. */
  readonly image: string;
  readonly descriptor: Descriptor;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface VerifyReport {
  readonly images: number;
  /** Different blobs that were read. */
  readonly blobs: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Children of indexes that are not here, beside others that are: a sparse index, which is no fault. */
  readonly absent: readonly Descriptor[];
  readonly problems: readonly VerifyProblem[];
  /** Where it was asked for. Its problems are not among the others. */
  readonly unreferenced?: UnreferencedReport;
}

/**
 * Reads every blob of the images once and checks every digest, size, reference and diffID. Goes on after a problem,
 * so that the report is whole; throws only for what is no fault of an image (an abort, a medium that fails).
 */
export async function verifyImages(store: ImageStore, images: readonly NamedImage[], options: VerifyOptions = {}): Promise<VerifyReport> {
  const verification = new Verification(store, options);
  for (const { name, descriptor } of images) await verification.root(name ?? descriptor.digest, descriptor);
  const report = verification.report(images.length);
  if (options.unreferenced !== true) return report;
  return { ...report, unreferenced: await verifyUnreferenced(store, (digest) => verification.knows(digest), options) };
}

class Verification {
  readonly #store: ImageStore;
  readonly #options: VerifyOptions;
  readonly #limits: JsonLimits;
  readonly #read = new Set<Digest>();
  /**
   * The diffID, where there is one, of each blob as it was taken: a blob that one image calls a layer of another size or
   * type than the next one does, or a manifest that another image carries as a layer, has not been checked for both.
   */
  readonly #checked = new Map<string, Digest | undefined>();
  readonly #failed = new Set<Digest>();
  readonly #absent: Descriptor[] = [];
  readonly #problems: VerifyProblem[] = [];
  #image = '';
  #bytes = 0;

  constructor(store: ImageStore, options: VerifyOptions) {
    this.#store = store;
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
  }

  /** Whether a blob belongs to what was verified, sound or not. */
  knows(digest: Digest): boolean {
    return this.#read.has(digest) || this.#failed.has(digest);
  }

  report(images: number): VerifyReport {
    return { images, blobs: this.#read.size, bytes: this.#bytes, absent: this.#absent, problems: this.#problems };
  }

  async root(name: string, descriptor: Descriptor): Promise<void> {
    this.#image = name;
    if (!(await this.#isHere(descriptor))) this.#problem(descriptor, 'NOT_FOUND', `${descriptor.mediaType} ${descriptor.digest} is missing`);
    else await this.#visit(descriptor);
  }

  async #visit(descriptor: Descriptor): Promise<void> {
    this.#options.signal?.throwIfAborted();
    if (roleOf(descriptor) === 'other') return this.#blob(descriptor);
    const key = keyOf(descriptor, descriptor.mediaType);
    if (this.#checked.has(key)) return;
    this.#checked.set(key, undefined);
    const document = await this.#attempt(descriptor, async () => {
      const parsed = await readDocument(this.#store, descriptor, this.#limits);
      this.#counter(descriptor)(descriptor.size);
      return parsed;
    });
    if (document?.kind === 'manifest') await this.#manifest(document.manifest, descriptor);
    if (document?.kind !== 'index') return;
    const children = childrenOf(document);
    const here = await Promise.all(children.map((child) => this.#isHere(child)));
    for (const [position, child] of children.entries()) {
      if (here[position]) await this.#visit(child);
      else this.#absent.push(child);
    }
    // An attestation alone is no image.
    const digests = new Set<string>(children.map(({ digest }) => digest));
    const images = children.map((child) => !digests.has(describedBy(child) ?? ''));
    if (children.length > 0 && !here.some((isHere, position) => isHere && (images[position] || !images.includes(true)))) {
      this.#problem(descriptor, 'NOT_FOUND', `none of the ${children.length} manifests of index ${descriptor.digest} is here`);
    }
  }

  async #manifest(manifest: Manifest, parent: Descriptor): Promise<void> {
    const { config, layers } = manifest;
    await eachOf([config, ...layers], this.#options.jobs ?? 2, (blob) => this.#blob(blob));
    for (const layer of layers) await this.#toc(layer);
    const layered = isConfigType(config.mediaType) && layers.every((layer) => isLayerType(layer.mediaType));
    // A config that is missing or damaged has been told of.
    if (!layered || this.#failed.has(config.digest)) return;
    const parsed = await this.#attempt(config, async () => parseConfig(await readBlob(this.#store, config, this.#limits.bytes), { limits: this.#limits }));
    if (parsed === undefined) return;
    const diffIDs = parsed.rootfs.diff_ids;
    if (diffIDs.length !== layers.length) {
      this.#problem(parent, 'INVALID_MANIFEST', `manifest ${parent.digest} has ${layers.length} layers, its config ${diffIDs.length} diffIDs`);
      return;
    }
    for (const [position, layer] of layers.entries()) {
      const expected = diffIDs[position];
      const sha256 = this.#checked.get(keyOf(layer, layerCodec(layer)?.name));
      if (expected === undefined || sha256 === undefined) continue;
      const actual = hashAlgorithm(expected) === 'sha256' ? sha256 : await this.#diffID(layer, expected);
      if (actual === undefined || actual === expected) continue;
      this.#problem(layer, 'DIGEST_MISMATCH', `layer ${layer.digest} unpacks to ${actual}, but the config says ${expected}`);
    }
  }

  /** Readers in pieces go by the TOC that the manifest names, and by no other. */
  async #toc(layer: Descriptor): Promise<void> {
    if (!hasVoucher(layer) || this.#failed.has(layer.digest) || !(await this.#isHere(layer))) return;
    try {
      await openVouchedToc({ descriptor: layer, open: () => openBlob(this.#store, layer) }, this.#options.signal);
    } catch (error) {
      if (!isContentFault(error, this.#options.signal)) throw error;
      // The blob itself is sound, so it is not among those that failed.
      this.#problems.push({ image: this.#image, descriptor: layer, code: error.code, message: error.message });
    }
  }

  /** For the rare config with diffIDs of another algorithm than sha256: the layer is read once more. */
  async #diffID(layer: Descriptor, expected: Digest): Promise<Digest | undefined> {
    const algorithm = hashAlgorithm(expected);
    if (algorithm === undefined) {
      this.#problem(layer, 'UNSUPPORTED', `the diffID ${expected} is of an algorithm that cannot be checked here`);
      return undefined;
    }
    const found = await this.#attempt(layer, async () => {
      const bytes = verified((await openBlob(this.#store, layer)).read(), layer);
      return digestStream(layerCodec(layer)?.decompress(bytes) ?? bytes, algorithm);
    });
    return found?.digest;
  }

  /** A blob that refers to nothing: its digest and, of a layer, the digest of its uncompressed bytes, in one pass. */
  async #blob(descriptor: Descriptor): Promise<void> {
    const codec = layerCodec(descriptor);
    const key = keyOf(descriptor, codec?.name);
    if (this.#checked.has(key)) return;
    this.#checked.set(key, undefined);
    if (!isComputable(descriptor.digest)) {
      return this.#problem(descriptor, 'UNSUPPORTED', `${descriptor.digest} is of an algorithm that cannot be checked here`);
    }
    if (isForeignType(descriptor.mediaType) && !(await this.#isHere(descriptor))) return;
    await this.#attempt(descriptor, async () => {
      const source = await openBlob(this.#store, descriptor);
      const count = this.#counter(descriptor);
      const read = () => verified(counted(source.read(), count), descriptor);
      if (codec === undefined) return drain(read());
      try {
        const { digest } = await digestStream(codec.decompress(read()));
        this.#checked.set(key, digest);
      } catch (error) {
        // A damaged blob most often fails to decompress before its digest can tell why.
        if (isOciTarError(error, 'INVALID_COMPRESSION')) await drain(verified(source.read(), descriptor));
        throw error;
      }
    });
  }

  async #isHere(descriptor: Descriptor): Promise<boolean> {
    try {
      await openBlob(this.#store, descriptor);
      return true;
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND')) return false;
      // Of another size: it is here, and reading it will say what is wrong.
      if (isOciTarError(error, 'SIZE_MISMATCH')) return true;
      throw error;
    }
  }

  async #attempt<T>(descriptor: Descriptor, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isContentFault(error, this.#options.signal)) throw error;
      this.#problem(descriptor, error.code, error.message);
      return undefined;
    }
  }

  #problem(descriptor: Descriptor, code: ErrorCode, message: string): void {
    this.#failed.add(descriptor.digest);
    this.#problems.push({ image: this.#image, descriptor, code, message });
  }

  /** Counts the bytes of a blob, but not those of one that is read again, taken for something else. */
  #counter({ digest }: Descriptor): (count: number) => void {
    const again = this.#read.has(digest);
    this.#read.add(digest);
    return (count) => {
      this.#options.signal?.throwIfAborted();
      if (again) return;
      this.#bytes += count;
      this.#options.onBytes?.(count);
    };
  }
}

function keyOf({ digest, size }: Descriptor, takenFor = ''): string {
  return `${digest} ${size} ${takenFor}`;
}

/** How a layer is unpacked; undefined for what is no layer, or one whose compression is not known here. */
function layerCodec({ mediaType }: Descriptor): Codec | undefined {
  return isLayerType(mediaType) ? codecForMediaType(mediaType) : undefined;
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of stream) void chunk;
}

/** Throws the report's first problem; for callers that want an error instead of a report. */
export function assertVerified(report: VerifyReport): void {
  const [first] = [...report.problems, ...(report.unreferenced?.problems ?? [])];
  if (first === undefined) return;
  const more = report.problems.length > 1 ? ` (and ${report.problems.length - 1} more problems)` : '';
  throw new OciTarError(first.code, first.message + more, { subject: first.image });
}
