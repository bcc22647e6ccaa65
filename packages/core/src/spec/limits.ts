/** How much of a metadata document is accepted before it is refused with LIMIT_EXCEEDED. */
export interface JsonLimits {
  /** Length of the document in bytes. */
  readonly bytes: number;
  /** Objects and arrays inside each other, at most 1000; a lone `{}` is 1 deep. */
  readonly depth: number;
}

/** 4 MiB, the manifest that every registry should still take (distribution-spec), and 16 levels; the image-spec's own fields need 5. */
export const defaultLimits: JsonLimits = { bytes: 4 * 1024 * 1024, depth: 16 };
