/** How much of a metadata document is accepted before it is refused with LIMIT_EXCEEDED. */
export interface JsonLimits {
  /** Length of the document in bytes. */
  readonly bytes: number;
  /** Objects and arrays inside each other, at most 1000; a lone `{}` is 1 deep. */
  readonly depth: number;
}

/** 4 MiB, the size at which registries refuse a manifest, and 16 levels; the deepest field that the image-spec knows is 5. */
export const defaultLimits: JsonLimits = { bytes: 4 * 1024 * 1024, depth: 16 };
