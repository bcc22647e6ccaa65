import { OciTarError } from '../errors.ts';
import type { ByteSource, ByteStream } from './types.ts';

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.byteLength,
    async *read(start = 0, end = bytes.byteLength) {
      checkRange(start, end, bytes.byteLength);
      if (end > start) yield bytes.subarray(start, end);
    },
  };
}

/** The part of a source from `start` up to but without `end`, as a source of its own. */
export function sliceSource(source: ByteSource, start: number, end: number): ByteSource {
  checkRange(start, end, source.size);
  const size = end - start;
  return {
    size,
    read(from = 0, to = size) {
      checkRange(from, to, size);
      return source.read(start + from, start + to);
    },
  };
}

/** Throws INVALID_ARGUMENT unless 0 <= start <= end <= size, in whole numbers. */
export function checkRange(start: number, end: number, size: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= size) return;
  throw new OciTarError('INVALID_ARGUMENT', `range ${start}..${end} does not lie within ${size} bytes`);
}

/** A whole source in memory; `limit` is the most bytes it may have. */
export async function readSource(source: ByteSource, limit: number, subject: string): Promise<Uint8Array> {
  if (source.size > limit) throw tooLong(subject, limit, source.size);
  return collect(source.read(), limit, subject);
}

/** A whole stream in memory. LIMIT_EXCEEDED past `limit` bytes. */
export async function collect(stream: ByteStream, limit: number, subject: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size > limit) throw tooLong(subject, limit, size);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : join(chunks, size);
}

/** One array out of many. */
export function join(chunks: readonly Uint8Array[], size?: number): Uint8Array {
  const joined = new Uint8Array(size ?? chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return joined;
}

function tooLong(subject: string, limit: number, actual: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `${subject} is longer than the limit of ${limit} bytes`, { limit, actual, subject });
}
