import type { OciTarError } from '../errors.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { ByteStream } from '../bytes/types.ts';
import { paddingOf } from './block.ts';
import type { TarEntry } from './entry.ts';
import { GroupReader } from './group.ts';
import { truncatedTar } from './invalid.ts';
import type { PaxRecords } from './pax.ts';

/** A piece of an archive. The bytes of all tokens, joined, are the input. `offset` is where the piece starts. */
export type TarToken =
  /** All header blocks of one entry: extensions, the header, an old sparse file's map. The bytes are a copy. */
  | { readonly kind: 'header'; readonly offset: number; readonly bytes: Uint8Array; readonly entry: TarEntry }
  /** A global PAX header with its body; it holds for the entries after it. */
  | { readonly kind: 'global'; readonly offset: number; readonly bytes: Uint8Array; readonly pax: PaxRecords }
  /** A run of the last entry's body. */
  | { readonly kind: 'data'; readonly offset: number; readonly bytes: Uint8Array }
  /** What fills the body up to a whole block: 1 to 511 bytes, mostly zeros. */
  | { readonly kind: 'padding'; readonly offset: number; readonly bytes: Uint8Array }
  /** The end marker: two blocks of zeros, or one where the input ends after it. */
  | { readonly kind: 'end'; readonly offset: number; readonly bytes: Uint8Array }
  /** A run of whatever follows the end marker: mostly zeros up to a tape record. */
  | { readonly kind: 'trailer'; readonly offset: number; readonly bytes: Uint8Array }
  /** A run of what could not be read as tar, and why; the first one may be empty. Only with `onInvalid: 'raw'`. */
  | { readonly kind: 'raw'; readonly offset: number; readonly bytes: Uint8Array; readonly error: OciTarError };

export interface TokenOptions {
  /** Bytes that one entry's headers may take together: 1 MiB by default. LIMIT_EXCEEDED. */
  readonly headerLimit?: number;
  /**
   * `throw` (default): INVALID_TAR at what is not tar. `raw`: everything from there on comes as `raw` tokens,
   * so that any input at all can be taken apart and put together again.
   */
  readonly onInvalid?: 'throw' | 'raw';
  /**
   * Whether an archive that just stops after an entry is an error; it may have been cut there.
   * True by default, but not with `onInvalid: 'raw'`. Pass false for layers, whose digest tells, and some lack the end.
   */
  readonly requireEnd?: boolean;
}

/**
 * Takes an archive apart without losing a byte. Bodies come in the runs that they arrive in.
 * INVALID_TAR (with offset) for a wrong checksum, a malformed number or extension, a lone block of zeros,
 * and wherever the input ends before it should.
 */
export async function* tokens(stream: ByteStream, options: TokenOptions = {}): AsyncGenerator<TarToken, void, void> {
  const { onInvalid = 'throw', requireEnd = onInvalid === 'throw' } = options;
  const reader = new ByteReader(stream);
  const groups = new GroupReader(options.headerLimit);
  // Copied, because an entry that is kept must not keep the run that its header came in.
  const peek = async (n: number): Promise<Uint8Array> => (await reader.peek(n)).slice();
  let invalid: OciTarError | undefined;
  try {
    while (invalid === undefined) {
      const offset = reader.offset;
      let bytes: Uint8Array = nothing;
      const group = await groups.read(offset, async (n) => (bytes = await peek(n)));
      if (group === undefined) {
        if (requireEnd) throw missingEnd(offset);
        return;
      }
      if (group.kind === 'invalid') {
        invalid = group.error;
        break;
      }
      if (bytes.length > group.length) bytes = bytes.slice(0, group.length);
      await reader.skip(group.length);
      if (group.kind === 'end') {
        yield { kind: 'end', offset, bytes };
        yield* rest(reader, (at, run) => ({ kind: 'trailer', offset: at, bytes: run }));
        return;
      }
      if (group.kind === 'global') {
        yield { kind: 'global', offset, bytes, pax: group.pax };
        continue;
      }
      const { entry } = group;
      yield { kind: 'header', offset, bytes, entry };
      let left = entry.size;
      while (left > 0) {
        const at = reader.offset;
        const run = await reader.run(left);
        if (run === undefined) break;
        left -= run.length;
        yield { kind: 'data', offset: at, bytes: run };
      }
      const size = left === 0 ? paddingOf(entry.size) : 0;
      if (size > 0) {
        const at = reader.offset;
        const padding = await reader.peek(size);
        await reader.skip(padding.length);
        left = size - padding.length;
        if (padding.length > 0) yield { kind: 'padding', offset: at, bytes: padding };
      }
      if (left > 0) invalid = truncatedEntry(entry, reader.offset);
    }
    if (onInvalid === 'throw') throw invalid;
    const error = invalid;
    yield { kind: 'raw', offset: reader.offset, bytes: nothing, error };
    yield* rest(reader, (at, run) => ({ kind: 'raw', offset: at, bytes: run, error }));
  } finally {
    await reader.close();
  }
}

const nothing = new Uint8Array(0);

async function* rest(reader: ByteReader, token: (offset: number, run: Uint8Array) => TarToken): AsyncGenerator<TarToken> {
  for (;;) {
    const offset = reader.offset;
    const run = await reader.run(Number.MAX_SAFE_INTEGER);
    if (run === undefined) return;
    yield token(offset, run);
  }
}

/** The error for an archive that stops between entries. */
export function missingEnd(offset: number): OciTarError {
  return truncatedTar(offset, 'there is no end-of-archive marker');
}

/** The error for an archive of `end` bytes that stops inside an entry's body or the padding after it. */
export function truncatedEntry(entry: TarEntry, end: number): OciTarError {
  const bodyEnd = entry.dataOffset + entry.size;
  const needed = end < bodyEnd ? bodyEnd : bodyEnd + paddingOf(entry.size);
  return truncatedTar(end, `entry ${JSON.stringify(entry.path)} ends at byte ${needed}`, entry.path);
}
