import type { ByteStream } from '../bytes/types.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { ImageStore, NamedImage } from './store.ts';

/** What will move, known before the first layer byte does. Made from manifests alone. */
export interface Plan {
  readonly images: readonly NamedImage[];
  /** What is listed beside the images because it refers to something of them; sorted by digest, annotated with its subject. */
  readonly referrers: readonly NamedImage[];
  /** Each digest once, children before their parents. */
  readonly contents: ReadonlyMap<Digest, Content>;
  /** What the images refer to and this plan does not move. */
  readonly gaps: readonly Gap[];
  /** Sum of the contents' sizes in bytes. */
  readonly size: number;
  /** Images that move with a smaller index than the source has; absent where all move as they are. */
  readonly rewritten?: readonly RewrittenImage[];
}

/** An image whose index was rewritten without what does not move. */
export interface RewrittenImage {
  readonly name?: string;
  /** The index in the source. */
  readonly from: Descriptor;
  /** The one that moves in its place. */
  readonly to: Descriptor;
}

/** A blob that the plan moves. */
export interface Content {
  readonly descriptor: Descriptor;
  readonly role: ContentRole;
  /** 0 for what refers to nothing here, else one more than the highest of its children. */
  readonly height: number;
  /** Where it can be read, or mounted from. */
  readonly origins: readonly ImageStore[];
  /** Raw, unverified bytes, opened anew on each call. */
  read(): ByteStream;
}

export type ContentRole = 'index' | 'manifest' | 'config' | 'layer' | 'other';

export interface Gap {
  readonly descriptor: Descriptor;
  /** The manifest or index that refers to it. */
  readonly parent: Descriptor;
  /**
   * `filtered`: left out on request. `absent`: the source does not have it. `foreign`: it is fetched from its urls.
   * `orphaned`: it describes an image that does not move.
   */
  readonly why: 'absent' | 'foreign' | 'filtered' | 'orphaned';
}
