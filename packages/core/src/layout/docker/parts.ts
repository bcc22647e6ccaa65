import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';

/** An image of a docker archive, taken apart: what its manifest is made of. */
export interface ImageParts {
  /** For messages. */
  readonly subject: string;
  /** As the archive spells them. */
  readonly names: readonly string[];
  readonly config: Uint8Array;
  readonly layers: readonly LayerPart[];
}

export interface LayerPart {
  readonly path: string;
  readonly diffID: Digest;
  /** What stands for the layer where its file is not in the archive: one that is fetched from its urls. */
  readonly elsewhere?: Descriptor;
}
