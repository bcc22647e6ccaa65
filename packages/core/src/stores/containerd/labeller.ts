import { collect } from '../../bytes/source.ts';
import { verified } from '../../bytes/digest.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { childrenOf, parseDocument } from '../../spec/document.ts';
import type { Document } from '../../spec/document.ts';
import { defaultLimits } from '../../spec/limits.ts';
import { isIndexType, isManifestType } from '../../spec/media-type.ts';
import type { CallOptions, Connection } from './connection.ts';
import { blobInfo, blobSource, setLabels } from './content.ts';
import { childLabels, missingLabels } from './labels.ts';

/** Sees to it that containerd's collector finds everything that an image refers to. */
export class Labeller {
  readonly #connection: Connection;
  readonly #options: CallOptions;
  /** The manifests and indexes that have their labels, with those of their children that may need some. */
  readonly #done = new Map<Digest, readonly Descriptor[]>();

  constructor(connection: Connection, options: CallOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** The labels of a document that is about to be pushed with them. */
  labelsOf(digest: Digest, document: Document): Readonly<Record<string, string>> {
    this.#done.set(digest, childrenOf(document).filter(isDocument));
    return childLabels(document);
  }

  /** Labels an image's manifests and indexes where they lack it; children that are not there are passed over. */
  async label(root: Descriptor): Promise<void> {
    const seen = new Set<Digest>();
    const waiting = [root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!isDocument(next) || seen.has(next.digest)) continue;
      seen.add(next.digest);
      waiting.push(...(this.#done.get(next.digest) ?? (await this.#labelOne(next))));
    }
  }

  async #labelOne(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const info = await blobInfo(this.#connection, descriptor.digest, this.#options);
    if (info === undefined || info.size > defaultLimits.bytes) return [];
    const bytes = await collect(verified(blobSource(this.#connection, info, this.#options).read(), descriptor), defaultLimits.bytes, descriptor.digest);
    const document = parseDocument(bytes, descriptor);
    if (document === undefined) return [];
    const labels = this.labelsOf(descriptor.digest, document);
    await setLabels(this.#connection, descriptor.digest, missingLabels(labels, info.labels), this.#options);
    return this.#done.get(descriptor.digest) ?? [];
  }
}

function isDocument({ mediaType }: Descriptor): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}
