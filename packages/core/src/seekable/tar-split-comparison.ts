import { Verifier } from '../bytes/digest.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { zstd } from '../compression/zstd.ts';
import type { OciTarError } from '../errors.ts';
import { isDigest } from '../spec/digest.ts';
import { splitPieces } from '../tar/split/assemble.ts';
import { Crc64 } from '../tar/split/crc64.ts';
import type { SplitPiece } from '../tar/split/piece.ts';
import { decodeText } from '../tar/text.ts';
import { invalidToc } from './failures.ts';
import type { TarSplitPosition } from './format.ts';

type Payload = Extract<SplitPiece, { readonly kind: 'payload' }>;

/**
 * Compares a tar with the tar-split part of its layer as it passes: every byte that is no file's content must be there, and each file by its name, size and checksum. So the tar that is
 * put together out of the part and the layer's files is this one, byte for byte.
 */
export class TarSplitComparison {
  readonly #pieces: AsyncGenerator<SplitPiece, void, void>;
  /** What is left of a piece of bytes. */
  #bytes: Uint8Array = new Uint8Array(0);
  #file: { readonly payload: Payload; readonly checksum: Crc64; left: number } | undefined;
  #wanted: { readonly name: Uint8Array; readonly size: number; readonly offset: number } | undefined;

  /** INVALID_TOC for a digest that is none. */
  constructor(blob: ByteSource, position: TarSplitPosition, digest: string) {
    if (!isDigest(digest)) throw invalidToc('has a tarSplitDigest that is none');
    const compressed = new Verifier({ digest, size: position.size }, { subject: 'the tar-split part' });
    const raw = new Verifier({ size: position.rawSize }, { subject: 'the tar-split part, decompressed,' });
    this.#pieces = splitPieces(checked(zstd.decompress(checked(blob.read(position.offset, position.offset + position.size), compressed), { limit: position.rawSize }), raw));
  }

  /** Bytes of the tar that are no content. */
  async raw(bytes: Uint8Array, offset: number): Promise<void> {
    this.#endFile(offset);
    for (let at = 0; at < bytes.length; ) {
      while (this.#bytes.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true || next.value.kind !== 'raw') throw other(offset + at);
        this.#bytes = next.value.bytes;
      }
      const length = Math.min(this.#bytes.length, bytes.length - at);
      for (let index = 0; index < length; index++) if (this.#bytes[index] !== bytes[at + index]) throw other(offset + at + index);
      this.#bytes = this.#bytes.subarray(length);
      at += length;
    }
  }

  /** A file's content comes next. */
  file(name: Uint8Array, size: number, offset: number): void {
    this.#wanted = { name, size, offset };
  }

  async content(bytes: Uint8Array): Promise<void> {
    if (this.#file === undefined) await this.#startFile();
    if (this.#file === undefined) return;
    this.#file.checksum.update(bytes);
    this.#file.left -= bytes.length;
  }

  async finish(): Promise<void> {
    this.#endFile(0);
    if (this.#bytes.length > 0) throw invalidToc('has a tar-split part that goes on where the tar has ended');
    for await (const piece of this.#pieces) if (piece.kind !== 'raw' || piece.bytes.length > 0) throw invalidToc('has a tar-split part that goes on where the tar has ended');
  }

  dispose(): void {
    // Not waited for: only the read below is given up.
    this.#pieces.return().catch(() => {});
  }

  async #startFile(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const next = this.#bytes.length > 0 ? undefined : await this.#payload();
    if (next === undefined || !('name' in next.key) || next.key.size !== wanted.size || decodeText(next.key.name) !== decodeText(wanted.name)) throw other(wanted.offset);
    this.#wanted = undefined;
    this.#file = { payload: next, checksum: new Crc64(), left: wanted.size };
  }

  /** Over empty segments, which tar-split may write anywhere. */
  async #payload(): Promise<Payload | undefined> {
    for (;;) {
      const next = await this.#pieces.next();
      if (next.done === true || next.value.kind === 'end') return undefined;
      if (next.value.kind === 'payload') return next.value;
      if (next.value.bytes.length > 0) return undefined;
    }
  }

  #endFile(offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const sum = file.checksum.sum();
    if (file.left !== 0 || file.payload.crc === undefined || !sum.every((byte, at) => byte === file.payload.crc?.[at])) throw other(offset);
  }
}

async function* checked(bytes: ByteStream, verifier: Verifier): ByteStream {
  try {
    for await (const run of bytes) {
      await verifier.update(run);
      yield run;
    }
    await verifier.finish();
  } finally {
    verifier.dispose();
  }
}

function other(offset: number): OciTarError {
  return invalidToc(`has a tar-split part of another tar: they differ at byte ${offset}`, undefined, { offset });
}
