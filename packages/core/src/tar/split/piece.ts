import type { Digest } from '../../spec/digest.ts';
import type { PayloadKey } from './payloads.ts';

/** One record of metadata, whichever format it was read from: what the archive is put together from, in its order. */
export type SplitPiece =
  /** Bytes of the archive as they are. */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** A payload, and how it is checked: by its digest, or by a CRC-64 where the key is a name. */
  | { readonly kind: 'payload'; readonly key: PayloadKey; readonly crc?: Uint8Array }
  /** What the whole archive was. Only in our own format, as its last piece. */
  | { readonly kind: 'end'; readonly digest: Digest; readonly size: number };

/** Reads them one by one: undefined after the last one. A promise only where the piece has not arrived. One call at a time. */
export interface PieceReader {
  next(): SplitPiece | undefined | Promise<SplitPiece | undefined>;
}
