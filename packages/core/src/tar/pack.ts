import { OciTarError } from '../errors.ts';
import type { ByteStream } from '../bytes/types.ts';
import { blockSize, paddingOf } from './block.ts';
import { encodeHeader } from './encode.ts';
import type { HeaderFields } from './encode.ts';

/** An entry to be written. What `entries` reads is one. */
export interface PackEntry extends HeaderFields {
  /** The body, exactly `size` bytes; nothing by default. */
  readonly data?: ByteStream | Uint8Array;
}

/** A piece of an archive being written. */
export type TarPiece =
  | { readonly kind: 'header'; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'padding'; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly bytes: Uint8Array };

/**
 * Writes entries, in their order, as a ustar archive with PAX headers where they are needed, and two blocks of
 * zeros at the end. Equal entries give equal bytes. INVALID_ARGUMENT for what a header cannot hold,
 * SIZE_MISMATCH where a body is not as long as its entry says.
 */
export async function* pack(
  entries: AsyncIterable<PackEntry> | Iterable<PackEntry>,
): AsyncGenerator<TarPiece, void, void> {
  for await (const entry of entries) {
    yield { kind: 'header', path: entry.path, bytes: encodeHeader(entry) };
    const expected = entry.size ?? 0;
    let actual = 0;
    for await (const bytes of runsOf(entry.data)) {
      actual += bytes.length;
      if (actual > expected) throw mismatch(entry.path, expected, actual, 'longer');
      if (bytes.length > 0) yield { kind: 'data', bytes };
    }
    if (actual < expected) throw mismatch(entry.path, expected, actual, 'shorter');
    const padding = paddingOf(expected);
    if (padding > 0) yield { kind: 'padding', bytes: new Uint8Array(padding) };
  }
  yield { kind: 'end', bytes: new Uint8Array(2 * blockSize) };
}

function runsOf(data: ByteStream | Uint8Array | undefined): ByteStream | Iterable<Uint8Array> {
  if (data === undefined) return [];
  return data instanceof Uint8Array ? [data] : data;
}

function mismatch(subject: string, expected: number, actual: number, than: string): OciTarError {
  const size = than === 'longer' ? `${actual} bytes or more` : `${actual} bytes`;
  const message = `the body of ${JSON.stringify(subject)} is ${than} than its entry says: ${size}, not ${expected}`;
  return new OciTarError('SIZE_MISMATCH', message, { subject, expected, actual });
}

/** Length of the runs that small pieces are gathered into. */
const runSize = 64 * 1024;

/** The bytes of pieces (or tokens), joined: every run but the last is 64 KiB or more; large ones are not copied. */
export async function* pieceBytes(
  pieces: AsyncIterable<{ readonly bytes: Uint8Array }> | Iterable<{ readonly bytes: Uint8Array }>,
): AsyncGenerator<Uint8Array, void, void> {
  // A run belongs to its reader, so each one gets a buffer of its own.
  let buffer = new Uint8Array(runSize);
  let filled = 0;
  for await (const piece of pieces) {
    let { bytes } = piece;
    if (filled > 0 || bytes.length < runSize) {
      const part = bytes.subarray(0, runSize - filled);
      buffer.set(part, filled);
      filled += part.length;
      bytes = bytes.subarray(part.length);
    }
    if (filled === runSize) {
      yield buffer;
      buffer = new Uint8Array(runSize);
      filled = 0;
    }
    if (bytes.length >= runSize) yield bytes;
    else if (bytes.length > 0) {
      buffer.set(bytes);
      filled = bytes.length;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
