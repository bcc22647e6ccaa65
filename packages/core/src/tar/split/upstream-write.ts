import { OciTarError, isOciTarError } from '../../errors.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { blockSize } from '../block.ts';
import { decodeHeader } from '../header.ts';
import { exactText } from '../text.ts';
import { TokenReader } from '../tokens.ts';
import type { TarToken } from '../tokens.ts';
import { Body, NamedKeying } from './body.ts';
import { goString } from './go-json.ts';
import { defaultSplitLimits, overLimit } from './limits.ts';
import { cleanedName } from './names.ts';
import { Output } from './output.ts';
import type { NamedKey, PayloadSink } from './payloads.ts';

export interface DisassembleUpstreamOptions {
  /** As in `tokens`: 1 MiB by default. */
  readonly headerLimit?: number;
  /** Entries whose names are remembered, to find doubles: 10,000,000 by default. LIMIT_EXCEEDED. */
  readonly entryLimit?: number;
}

/** What follows the end marker comes in segments of this size, as upstream reads it from a file. */
const trailerSegment = 1024 * 1024;

/**
 * Takes an archive apart into upstream's metadata: JSON lines as github.com/vbatts/tar-split writes them (v0.12; v0.11 adds
 * an empty segment at the end), not compressed. The payloads go into `payloads` under their names.
 * UNSUPPORTED, saying why, for an archive that cannot be said in that format: two names that come to the same, sparse files,
 * a damaged or truncated one. `disassemble` takes those.
 */
export async function* disassembleUpstream(tar: ByteStream, payloads: PayloadSink<NamedKey>, options: DisassembleUpstreamOptions = {}): ByteStream {
  const { entryLimit = 10_000_000, headerLimit } = options;
  const reader = new TokenReader(tar, { ...(headerLimit === undefined ? {} : { headerLimit }), requireEnd: false });
  const writer = new UpstreamWriter(payloads, entryLimit);
  try {
    for (;;) {
      const next = nextOf(reader);
      const token = next instanceof Promise ? await next : next;
      if (token === undefined) break;
      const taken = writer.take(token);
      if (taken !== undefined) await taken;
      if (writer.output.isFull) yield writer.output.take();
    }
    await writer.end();
    if (writer.output.length > 0) yield writer.output.take();
  } catch (error) {
    await writer.abort(error);
    throw error;
  } finally {
    await writer.abort();
    await reader.close();
  }
}

/** What is wrong with the archive itself makes it one that the format cannot hold. */
function nextOf(reader: TokenReader): ReturnType<TokenReader['next']> {
  try {
    const next = reader.next();
    return next instanceof Promise ? next.catch(refuseInvalid) : next;
  } catch (error) {
    return refuseInvalid(error);
  }
}

function refuseInvalid(error: unknown): never {
  if (!isOciTarError(error, 'INVALID_TAR')) throw error;
  throw inexpressible(error.message, error.details.offset ?? 0, error);
}

interface NamedBody {
  readonly payload: Body<NamedKey, Uint8Array>;
  readonly name: Name;
}

interface Name {
  readonly bytes: Uint8Array;
  /** Undefined where it is not UTF-8. */
  readonly text: string | undefined;
}

/** The same token by token: takes those of an archive in their order, then `end`; the lines gather in `output`, to be taken from there. */
export class UpstreamWriter {
  readonly output = new Output();
  readonly #payloads: PayloadSink<NamedKey>;
  readonly #entryLimit: number;
  readonly #names = new Set<string>();
  /** Bytes since the last entry: its padding, and headers. */
  readonly #segment = new Output();
  #body: NamedBody | undefined;
  #position = 0;

  constructor(payloads: PayloadSink<NamedKey>, entryLimit: number) {
    this.#payloads = payloads;
    this.#entryLimit = entryLimit;
  }

  /** A promise only where the payloads have to be waited for. */
  take(token: TarToken): Promise<void> | void {
    if (token.kind === 'data') return this.#body?.payload.write(token.bytes);
    const ended = this.#endBody();
    return ended === undefined ? this.#take(token) : ended.then(() => this.#take(token));
  }

  #take(token: Exclude<TarToken, { readonly kind: 'data' }>): void {
    if (token.kind === 'trailer') return this.#trailer(token.bytes);
    if (token.kind === 'global') return this.#global(token.bytes, token.offset);
    this.#segment.bytes(token.bytes);
    if (token.kind === 'end') return this.#flush();
    if (token.kind !== 'header') return;
    this.#flush();
    refuseSparse(token);
    const { pathBytes, path, size } = token.entry;
    const name = { bytes: pathBytes, text: exactText(pathBytes, path) };
    this.#remember(name, token.offset);
    if (size === 0) this.#file(name, 0, undefined);
    else this.#body = { payload: new Body(this.#payloads, new NamedKeying(pathBytes)), name };
  }

  /** Upstream lists a global header by its own name, and takes the padding of its records for that of a body. */
  #global(bytes: Uint8Array, offset: number): void {
    const { pathBytes, path, size } = decodeHeader(bytes.subarray(0, blockSize));
    const name = { bytes: pathBytes, text: exactText(pathBytes, path) };
    this.#segment.bytes(bytes.subarray(0, blockSize + size));
    this.#flush();
    this.#remember(name, offset);
    this.#file(name, 0, undefined);
    this.#segment.bytes(bytes.subarray(blockSize + size));
  }

  async end(): Promise<void> {
    await this.#endBody();
    this.#flush();
    // Of nothing at all there is one empty segment, as v0.11 ends with: a file without a line would seem to be cut off.
    if (this.#position === 0) this.output.text('{"type":2,"payload":"","position":0}\n');
  }

  async abort(reason?: unknown): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    await body?.payload.abort(reason);
  }

  #trailer(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + trailerSegment - this.#segment.length);
      this.#segment.bytes(part);
      at += part.length;
      if (this.#segment.length === trailerSegment) this.#flush();
    }
  }

  #remember({ bytes, text }: Name, offset: number): void {
    const { name: limit } = defaultSplitLimits;
    if (bytes.length > limit) throw overLimit('a name has a number of bytes that is', limit, offset);
    const before = this.#names.size;
    if (before >= this.#entryLimit) throw overLimit('the archive has a number of entries that is', this.#entryLimit, offset);
    const cleaned = cleanedName(bytes, text);
    this.#names.add(cleaned);
    if (this.#names.size > before) return;
    throw inexpressible(`it has ${JSON.stringify(cleaned.replace('\0', ''))} twice, which upstream's format finds its payload by`, offset);
  }

  #endBody(): Promise<void> | void {
    const body = this.#body;
    if (body === undefined) return;
    const crc = body.payload.finish();
    if (crc instanceof Promise) return crc.then((computed) => this.#ended(body, computed));
    this.#ended(body, crc);
  }

  #ended({ name, payload }: NamedBody, crc: Uint8Array): void {
    this.#body = undefined;
    this.#file(name, payload.size, crc);
  }

  #flush(): void {
    if (this.#segment.length === 0) return;
    const { output } = this;
    output.text('{"type":2,"payload":"');
    output.base64(this.#segment.drain());
    output.text(`","position":${this.#position++}}\n`);
  }

  /** Fields in this order; those that are empty are left out, but for the payload. */
  #file({ bytes, text }: Name, size: number, crc: Uint8Array | undefined): void {
    const { output } = this;
    output.text('{"type":1');
    if (bytes.length > 0 && text !== undefined) output.text(`,"name":${goString(text)}`);
    if (text === undefined) {
      output.text(',"name_raw":"');
      output.base64(bytes);
      output.text('"');
    }
    if (size > 0) output.text(`,"size":${size}`);
    output.text(',"payload":');
    if (crc === undefined) output.text('null');
    else {
      output.text('"');
      output.base64(crc);
      output.text('"');
    }
    output.text(`,"position":${this.#position++}}\n`);
  }
}

/** Upstream expands holes, so that what it puts together is another archive. */
function refuseSparse({ entry, offset }: Extract<TarToken, { readonly kind: 'header' }>): void {
  const sparse = entry.sparse !== undefined || [...entry.pax.keys()].some((keyword) => keyword.startsWith('GNU.sparse.'));
  if (sparse) throw inexpressible(`${JSON.stringify(entry.path)} is a sparse file, whose holes upstream's format has no place for`, offset);
}

function inexpressible(why: string, offset: number, cause?: unknown): OciTarError {
  return new OciTarError('UNSUPPORTED', `this archive cannot be taken apart into upstream's tar-split format: ${why}`, {
    offset,
    hint: "oci-tar's own format takes any archive: leave --upstream out.",
    ...(cause === undefined ? {} : { cause }),
  });
}
