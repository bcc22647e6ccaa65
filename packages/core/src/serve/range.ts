/** A part of content: from `start` up to but without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` header (RFC 9110, 14.2) for content of `size` bytes. Undefined where the whole is to be sent: no range, one that
 * makes no sense, another unit, or several ranges, which may be answered with the whole.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) };
}

/** Reads the `Content-Range` of a chunk that is pushed: `0-99`, both ends included, as the distribution-spec has it, or `bytes 0-99/*`. */
export function parseChunkRange(header: string): ByteRange | undefined {
  const [, first, last] = /^\s*(?:bytes[ =])?\s*(\d{1,16})-(\d{1,16})(?:\/(?:\d{1,16}|\*))?\s*$/i.exec(header) ?? [];
  if (first === undefined || last === undefined) return undefined;
  const [start, end] = [Number(first), Number(last) + 1];
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && end > start ? { start, end } : undefined;
}
