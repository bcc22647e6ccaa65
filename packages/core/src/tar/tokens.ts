import type { OciTarError } from '../errors.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { ByteStream } from '../bytes/types.ts';
import { paddingOf } from './block.ts';
import type { TarEntry } from './entry.ts';
import { GroupReader } from './group.ts';
import type { Group } from './group.ts';
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
  const reader = new TokenReader(stream, { ...options, copyHeaders: true });
  try {
    for (let token = await reader.next(); token !== undefined; token = await reader.next()) yield token;
  } finally {
    await reader.close();
  }
}

/**
 * The same for whoever takes many small entries apart: a token whose bytes have arrived is not waited for. 15,000 files so take
 * half the time. The bytes of headers are views of the runs that they came in.
 */
export class TokenReader {
  readonly #reader: ByteReader;
  readonly #groups: GroupReader;
  readonly #copyHeaders: boolean;
  readonly #throws: boolean;
  readonly #requireEnd: boolean;
  #stage: 'headers' | 'body' | 'padding' | 'rest' | 'over' = 'headers';
  #entry: TarEntry | undefined;
  /** Bytes of the body, or of the padding, that are to come. */
  #left = 0;
  /** Of the headers that were looked at last. */
  #bytes: Uint8Array = nothing;
  #invalid: OciTarError | undefined;

  /** `copyHeaders`: an entry that is kept does not keep the run that its header came in. */
  constructor(stream: ByteStream, options: TokenOptions & { readonly copyHeaders?: boolean } = {}) {
    const { onInvalid = 'throw', requireEnd = onInvalid === 'throw', copyHeaders = false } = options;
    const reader = new ByteReader(stream);
    this.#reader = reader;
    this.#groups = new GroupReader(options.headerLimit);
    this.#copyHeaders = copyHeaders;
    this.#throws = onInvalid === 'throw';
    this.#requireEnd = requireEnd;
  }

  /** The next token; undefined at the end of the input. One call at a time. Errors as in `tokens`. */
  next(): Next | Promise<Next> {
    switch (this.#stage) {
      case 'headers':
        return this.#headers();
      case 'body':
        return this.#body();
      case 'padding':
        return this.#padding();
      case 'rest':
        return this.#rest();
      case 'over':
        return undefined;
    }
  }

  /** Gives the rest of the stream up. Harmless at its end. */
  close(): Promise<void> {
    this.#stage = 'over';
    return this.#reader.close();
  }

  #headers(): Next | Promise<Next> {
    const { offset } = this.#reader;
    const group = this.#groups.read(offset, this.#peek);
    return group instanceof Promise ? group.then((arrived) => this.#group(arrived, offset)) : this.#group(group, offset);
  }

  readonly #peek = (n: number): Uint8Array | Promise<Uint8Array> => {
    const bytes = this.#reader.peek(n);
    return bytes instanceof Promise ? bytes.then((arrived) => this.#looked(arrived)) : this.#looked(bytes);
  };

  #looked(bytes: Uint8Array): Uint8Array {
    this.#bytes = this.#copyHeaders ? new Uint8Array(bytes) : bytes;
    return this.#bytes;
  }

  #group(group: Group | undefined, offset: number): Next {
    if (group === undefined) {
      this.#stage = 'over';
      if (this.#requireEnd) throw missingEnd(offset);
      return undefined;
    }
    if (group.kind === 'invalid') return this.#fail(group.error);
    const bytes = this.#bytes.length > group.length ? this.#bytes.subarray(0, group.length) : this.#bytes;
    this.#reader.drop(group.length);
    if (group.kind === 'end') {
      this.#stage = 'rest';
      return { kind: 'end', offset, bytes };
    }
    if (group.kind === 'global') return { kind: 'global', offset, bytes, pax: group.pax };
    const { entry } = group;
    this.#entry = entry;
    this.#left = entry.size;
    this.#stage = entry.size > 0 ? 'body' : 'headers';
    return { kind: 'header', offset, bytes, entry };
  }

  #body(): Next | Promise<Next> {
    const { offset } = this.#reader;
    const run = this.#reader.run(this.#left);
    return run instanceof Promise ? run.then((arrived) => this.#data(arrived, offset)) : this.#data(run, offset);
  }

  #data(bytes: Uint8Array | undefined, offset: number): Next {
    if (bytes === undefined) return this.#truncated();
    this.#left -= bytes.length;
    if (this.#left === 0) {
      this.#left = paddingOf(this.#entry?.size ?? 0);
      this.#stage = this.#left > 0 ? 'padding' : 'headers';
    }
    return { kind: 'data', offset, bytes };
  }

  #padding(): Next | Promise<Next> {
    const { offset } = this.#reader;
    const bytes = this.#reader.peek(this.#left);
    return bytes instanceof Promise ? bytes.then((arrived) => this.#filled(arrived, offset)) : this.#filled(bytes, offset);
  }

  #filled(bytes: Uint8Array, offset: number): Next {
    if (bytes.length === 0) return this.#truncated();
    this.#reader.drop(bytes.length);
    this.#left -= bytes.length;
    // Where it is cut, the next call finds nothing more.
    if (this.#left === 0) this.#stage = 'headers';
    return { kind: 'padding', offset, bytes };
  }

  #rest(): Next | Promise<Next> {
    const { offset } = this.#reader;
    const run = this.#reader.run(Number.MAX_SAFE_INTEGER);
    return run instanceof Promise ? run.then((arrived) => this.#tail(arrived, offset)) : this.#tail(run, offset);
  }

  #tail(bytes: Uint8Array | undefined, offset: number): Next {
    if (bytes === undefined) {
      this.#stage = 'over';
      return undefined;
    }
    return this.#invalid === undefined ? { kind: 'trailer', offset, bytes } : { kind: 'raw', offset, bytes, error: this.#invalid };
  }

  #truncated(): Next {
    const { offset } = this.#reader;
    return this.#fail(this.#entry === undefined ? missingEnd(offset) : truncatedEntry(this.#entry, offset));
  }

  /** What follows is no tar: the end, or raw from here on. */
  #fail(error: OciTarError): Next {
    this.#stage = this.#throws ? 'over' : 'rest';
    if (this.#throws) throw error;
    this.#invalid = error;
    return { kind: 'raw', offset: this.#reader.offset, bytes: nothing, error };
  }
}

type Next = TarToken | undefined;

const nothing = new Uint8Array(0);

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
