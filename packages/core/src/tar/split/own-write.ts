import { Verifier } from '../../bytes/digest.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { digestParts } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { encodeText } from '../text.ts';
import { TokenReader } from '../tokens.ts';
import type { TarToken } from '../tokens.ts';
import { Body, ContentKeying } from './body.ts';
import { Output } from './output.ts';
import type { ContentKey, PayloadSink } from './payloads.ts';

/** How the metadata start: the format and its version, for people too. */
export const magic = encodeText('oci-tar tar-split 1\n');

/** What a record starts with. docs/tar-split.md has the format byte by byte. */
export const recordKinds = { raw: 0x52, payload: 0x50, end: 0x45 } as const;

/** A raw record has at most so many bytes. */
export const rawRecord = 1024 * 1024;

/** Raw bytes are written out when so many have gathered. */
const rawRun = 64 * 1024;

/** A body of this size is no longer than its digest, so it stays among the metadata. */
const inlineBody = 32;

export interface DisassembleOptions {
  /** Bytes that one entry's headers may take together, as in `tokens`: 1 MiB by default. What is longer is kept raw. */
  readonly headerLimit?: number;
}

/**
 * Takes any bytes apart, a tar archive or not: the metadata come out, in the project's own format (docs/tar-split.md), and the
 * payloads go into `payloads`. Whatever cannot be read as tar is kept as it is, so that `assemble` gives every input back.
 * Errors are those of `tar` and `payloads`.
 */
export async function* disassemble(tar: ByteStream, payloads: PayloadSink<ContentKey>, options: DisassembleOptions = {}): ByteStream {
  const whole = new Verifier();
  const reader = new TokenReader(digesting(tar, whole), { ...options, onInvalid: 'raw', requireEnd: false });
  const writer = new OwnWriter(payloads);
  try {
    writer.output.bytes(magic);
    for (;;) {
      const next = reader.next();
      const token = next instanceof Promise ? await next : next;
      if (token === undefined) break;
      const taken = writer.take(token);
      if (taken !== undefined) await taken;
      if (writer.output.isFull) yield writer.output.take();
    }
    await writer.end();
    const { digest, size } = await whole.finish();
    writer.output.byte(recordKinds.end);
    writer.output.varint(size);
    writer.output.bytes(digestBytesOf(digest));
    yield writer.output.take();
  } catch (error) {
    await writer.abort(error);
    throw error;
  } finally {
    // Also where the reader of the metadata has gone away.
    await writer.abort();
    await reader.close();
    whole.dispose();
  }
}

async function* digesting(bytes: ByteStream, verifier: Verifier): ByteStream {
  for await (const run of bytes) {
    const waiting = verifier.update(run);
    if (waiting !== undefined) await waiting;
    yield run;
  }
}

class OwnWriter {
  readonly output = new Output();
  readonly #payloads: PayloadSink<ContentKey>;
  readonly #raw = new Output();
  #inTail = false;
  #body: Body<ContentKey, ContentKey> | undefined;

  constructor(payloads: PayloadSink<ContentKey>) {
    this.#payloads = payloads;
  }

  /** A promise only where the payloads have to be waited for. */
  take(token: TarToken): Promise<void> | void {
    if (token.kind === 'data') return this.#data(token.bytes);
    if (token.kind === 'trailer' || token.kind === 'raw') return this.#tail(token.bytes);
    const ended = this.#endBody();
    return ended === undefined ? this.#take(token) : ended.then(() => this.#take(token));
  }

  #take(token: TarToken): void {
    this.#raw.bytes(token.bytes);
    const isFile = token.kind === 'header' && token.entry.size > inlineBody;
    if (isFile || this.#raw.length >= rawRun) this.#flush();
    if (isFile) this.#body = new Body(this.#payloads, new ContentKeying(token.entry.size));
  }

  #data(run: Uint8Array): Promise<void> | void {
    if (this.#body === undefined) this.#raw.bytes(run);
    else return this.#body.write(run);
  }

  /** What has no structure: short, it is among the metadata; long, it is a payload like any other. */
  async #tail(run: Uint8Array): Promise<void> {
    if (!this.#inTail) {
      await this.#endBody();
      this.#flush();
      this.#inTail = true;
    }
    if (this.#body === undefined && this.#raw.length + run.length > rawRun) {
      const before = this.#raw.take();
      this.#body = new Body(this.#payloads, new ContentKeying(Infinity));
      if (before.length > 0) await this.#body.write(before);
    }
    await this.#data(run);
  }

  async end(): Promise<void> {
    await this.#endBody();
    this.#flush();
  }

  async abort(reason?: unknown): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    await body?.abort(reason);
  }

  #endBody(): Promise<void> | void {
    const body = this.#body;
    if (body === undefined) return;
    // A body whose archive ends before its first byte has no payload.
    const key = body.size === 0 ? undefined : body.finish();
    if (key instanceof Promise) return key.then((computed) => this.#ended(computed));
    if (key !== undefined) return this.#ended(key);
    this.#body = undefined;
    return body.abort();
  }

  #ended({ digest, size }: ContentKey): void {
    this.#body = undefined;
    this.output.byte(recordKinds.payload);
    this.output.varint(size);
    this.output.bytes(digestBytesOf(digest));
  }

  #flush(): void {
    if (this.#raw.length === 0) return;
    const bytes = this.#raw.drain();
    for (let at = 0; at < bytes.length; at += rawRecord) {
      const part = bytes.subarray(at, at + rawRecord);
      this.output.byte(recordKinds.raw);
      this.output.varint(part.length);
      this.output.bytes(part);
    }
  }
}

function digestBytesOf(digest: Digest): Uint8Array {
  const { encoded } = digestParts(digest);
  return Uint8Array.from({ length: encoded.length / 2 }, (_, i) => Number.parseInt(encoded.slice(2 * i, 2 * i + 2), 16));
}
