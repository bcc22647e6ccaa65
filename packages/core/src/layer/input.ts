import { Verifier, verified, watched } from '../bytes/digest.ts';
import type { Expected } from '../bytes/digest.ts';
import { abortable } from '../bytes/stream.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { decompressed } from '../compression/codecs.ts';
import type { Digest } from '../spec/digest.ts';
import type { TarEntry } from '../tar/entry.ts';
import { LayerReader } from './scan.ts';
import type { MergeLimits } from './limits.ts';

/** A layer that is opened by reading it: a tar, plain or compressed (gzip, zstd), told by its first bytes. Anew as often as needed, unless it says `once`. */
export interface ReadableLayer {
  read(): ByteStream;
  /** That it can be read only once, as a stream. */
  readonly once?: boolean;
  /** What the bytes are promised to be, and the digest of the plain tar. DIGEST_MISMATCH, SIZE_MISMATCH where they are not. */
  readonly expected?: Expected & { readonly diffID?: Digest };
  /** The same bytes once more, after a `read` to their end: for where that can be had cheaper, and is verified all the same. */
  reread?(): ByteStream;
  /** That it is a plain tar, whatever its first bytes look like. */
  readonly isPlain?: boolean;
  /** Entries that are no files of the layer, such as the TOC that some formats keep in the tar: passed over, though verified as bytes. */
  readonly isHidden?: ((entry: TarEntry) => boolean | Promise<boolean>) | undefined;
}

/** A layer; a stream can be read only once. */
export type LayerInput = ReadableLayer | ByteSource | ByteStream;

/** Whether a layer can be read anew. Streams of Node have a `read` of their own. */
export function isReadable(layer: LayerInput): boolean {
  return !(Symbol.asyncIterator in layer) && !('once' in layer && layer.once === true);
}

/** The bytes of a layer as they are given. */
export function bytesOf(layer: LayerInput): ByteStream {
  return Symbol.asyncIterator in layer ? layer : layer.read();
}

/** The plain tar of a layer. Throws instead of ending where it is not what was promised. */
async function* plainLayer(layer: LayerInput, again: boolean): ByteStream {
  const expected = 'expected' in layer ? layer.expected : undefined;
  const second = again && 'reread' in layer ? layer.reread?.() : undefined;
  const stream = second ?? bytesOf(layer);
  if ('isPlain' in layer && layer.isPlain === true && expected === undefined) {
    yield* stream;
    return;
  }
  const found = await decompressed(expected?.digest === undefined && expected?.size === undefined ? stream : verified(stream, expected));
  if (expected?.diffID === undefined) {
    yield* found.bytes;
    return;
  }
  const diff = new Verifier({ digest: expected.diffID }, { subject: 'a layer, unpacked,' });
  try {
    yield* watched(found.bytes, diff);
    await diff.finish();
  } finally {
    diff.dispose();
  }
}

/** Reads a layer, decompressed and verified; `again`: for the second time. Whoever opens it closes it. */
export function openLayer(layer: LayerInput, limits: MergeLimits, signal: AbortSignal | undefined, again = false): LayerReader {
  return new LayerReader(ahead(abortable(plainLayer(layer, again), signal)), { headerBytes: limits.headerBytes, signal, isHidden: 'isHidden' in layer ? layer.isHidden : undefined });
}

/** Has the next run made, on another thread where it is decompressed, while the last one is looked at. */
async function* ahead(stream: ByteStream): ByteStream {
  const iterator = stream[Symbol.asyncIterator]();
  const fetch = () => {
    const next = iterator.next();
    // Its failure is thrown when it is asked for, which may be never.
    next.catch(() => {});
    return next;
  };
  let next = fetch();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = fetch();
      yield value;
    }
  } finally {
    await next.catch(() => {});
    await iterator.return?.();
  }
}
