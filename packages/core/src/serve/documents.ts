import { nodesOf } from '../image/children.ts';
import { readBlob } from '../image/read.ts';
import { asReferrer, subjectOf } from '../image/referrers.ts';
import type { ImageStore } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseDocument } from '../spec/document.ts';
import { isIndexType, isManifestType } from '../spec/media-type.ts';

/** What a manifest or index leads to. */
export interface ReadDocument {
  readonly manifests: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
  readonly subject?: Descriptor;
  /** Itself, as a list of referrers has it. */
  readonly referrer: Descriptor;
}

/** So many bytes of manifests are remembered; parsed they take about four times as much. */
const most = 16 * 1024 * 1024;

/** Reads manifests, verified, and remembers those that were asked for last. */
export class Documents {
  readonly #limit: number;
  readonly #known = new Map<ImageStore, Map<string, ReadDocument>>();
  #bytes = 0;

  /** `limit`: the longest manifest, in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Undefined for what is neither manifest nor index. Errors of `readBlob` and of the parsers. */
  async read(store: ImageStore, descriptor: Descriptor): Promise<ReadDocument | undefined> {
    if (!isManifestType(descriptor.mediaType) && !isIndexType(descriptor.mediaType)) return undefined;
    const known = this.#known.get(store)?.get(descriptor.digest);
    if (known !== undefined) return known;
    const document = parsedDocument(await readBlob(store, descriptor, this.#limit), descriptor, this.#limit);
    if (document === undefined) return undefined;
    if (this.#bytes + descriptor.size > most) {
      this.#known.clear();
      this.#bytes = 0;
    }
    const kept = this.#known.get(store) ?? new Map<string, ReadDocument>();
    this.#known.set(store, kept);
    kept.set(descriptor.digest, document);
    this.#bytes += descriptor.size;
    return document;
  }
}

/** The parts of a manifest or index; errors of the parsers. */
export function parsedDocument(bytes: Uint8Array, descriptor: Descriptor, limit: number): ReadDocument | undefined {
  const document = parseDocument(bytes, descriptor, { limits: { bytes: limit, depth: 16 } });
  if (document === undefined) return undefined;
  const children = nodesOf(document).map((node) => node.descriptor);
  const subject = subjectOf(document);
  return {
    manifests: document.kind === 'index' ? children : [],
    blobs: document.kind === 'index' ? [] : children,
    ...(subject === undefined ? {} : { subject }),
    referrer: asReferrer(descriptor, document),
  };
}
