/** What stands behind the codecs on each platform. */

/** Decodes the deflate data of one gzip member (RFC 1951), which says itself where it ends. */
export interface RawInflater {
  /** Bytes of deflate data used so far. Exact once `ended`. */
  readonly consumed: number;
  /** Whether the last block has been decoded; what follows it is not this inflater's. */
  readonly ended: boolean;
  /** Decodes the next piece, in runs of at most 256 KiB. Throws an Error that says what is wrong with the data. */
  write(piece: Uint8Array): AsyncIterable<Uint8Array>;
  /** No more input: decodes what is left. Throws where the data is incomplete. */
  finish(): AsyncIterable<Uint8Array>;
  /** Frees what stands behind it. Harmless when called again. */
  dispose(): void;
}

/** Decodes zstd frames, fed in exactly the parts that the format has: a frame header, a block with its header, a checksum. */
export interface ZstdDecoder {
  /** Makes sure that a window of so many bytes can be had. LIMIT_EXCEEDED where memory is short. */
  reserve(windowSize: number): void;
  /** Decodes one part of at most 128 KiB + 18 bytes; returns at most 128 KiB, the caller's own. */
  feed(part: Uint8Array): Uint8Array;
  /** After a frame's last part: whether the decoder took every part of it for good, its checksum included. */
  complete(): boolean;
  /** Frees what stands behind it. Harmless when called again. */
  dispose(): void;
}

/** Bytes that are left free around deflate data, for a header and a trailer. */
export interface Room {
  readonly before: number;
  readonly after: number;
}

/** A whole buffer compressed. */
export interface Deflated {
  /** Deflate data (RFC 1951) with the room around it that was asked for, whose bytes may be anything. */
  readonly data: Uint8Array;
  /** CRC-32 of what went in. */
  readonly crc: number;
}

/** One compressed member, of whose content parts are to be digested. */
export interface MemberToDigest {
  /** Where it lies in the batch's memory, with whatever follows it up to `end`. */
  readonly start: number;
  readonly end: number;
  /** The most bytes that it may decompress to. */
  readonly limit: number;
  /** `wanted`: the bytes themselves are asked for, too. */
  readonly parts: readonly { readonly start: number; readonly length: number; readonly wanted: boolean }[];
}

export interface DigestedPart {
  /** SHA-256. */
  readonly hex: string;
  /** Where they were wanted. */
  readonly bytes?: Uint8Array;
}

/** Memory for the members of one batch. */
export interface MemberMemory {
  readonly bytes: Uint8Array;
  /** Gives it back, when it is not used any more. */
  release(): void;
}

/** Digests parts of many members off the main thread. */
export interface MemberDigester {
  /** How many batches are worth having under way. */
  readonly parallelism: number;
  /** Members will come soon: threads may start while something else is done before. */
  expect(): void;
  /** The caller bounds how much is taken at a time, fills it, and releases it when its digests are there and it needs the bytes no more. */
  memory(size: number): MemberMemory;
  /**
   * The digests of the parts that are asked for; undefined for a member that is incomplete, damaged, larger than its limit or of a kind that is not known here, and for all of them where
   * threads do not work: another reader finds out what is wrong.
   */
  digest(memory: MemberMemory, members: readonly MemberToDigest[]): Promise<readonly (readonly DigestedPart[] | undefined)[]>;
}
