import type { ByteReader } from '../../bytes/reader.ts';
import { join } from '../../bytes/source.ts';
import { overLimit } from './limits.ts';

export interface Line {
  /** Without its newline; good until the next line is asked for. */
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** The lines of a text, the last one with or without its newline. LIMIT_EXCEEDED for one of more than `limit` bytes. */
export async function* linesOf(reader: ByteReader, limit: number): AsyncGenerator<Line, void, void> {
  let held: Uint8Array[] = [];
  let size = 0;
  let offset = reader.offset;
  const line = (last: Uint8Array): Line => {
    const bytes = held.length === 0 ? last : join([...held, last], size + last.length);
    const found = { bytes, offset };
    offset += bytes.length + 1;
    held = [];
    size = 0;
    return found;
  };
  for (;;) {
    const run = await reader.run(Number.MAX_SAFE_INTEGER);
    if (run === undefined) break;
    let start = 0;
    for (let end = run.indexOf(0x0a); end >= 0; end = run.indexOf(0x0a, start)) {
      if (size + end - start > limit) throw overLimit('a line has a number of bytes that is', limit, offset);
      yield line(run.subarray(start, end));
      start = end + 1;
    }
    if (start === run.length) continue;
    held.push(start === 0 ? run : run.slice(start));
    size += run.length - start;
    if (size > limit) throw overLimit('a line has a number of bytes that is', limit, offset);
  }
  if (size > 0) yield line(new Uint8Array(0));
}
