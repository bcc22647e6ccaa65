import { ByteReader } from '../bytes/reader.ts';
import { runSize } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { Codec, DecompressOptions } from './codec.ts';
import { gzip } from './gzip.ts';
import { none } from './none.ts';
import { zstd } from './zstd.ts';

/** Every codec, in the order in which they are asked; `none` takes what no other one knows. */
export const codecs: readonly Codec[] = [gzip, zstd, none];

/** So many bytes tell any codec. */
const headLength = 6;

/** The codec of a stream that starts with these bytes: at least 6, or the whole of a shorter stream. */
export function detectCodec(head: Uint8Array): Codec {
  return codecs.find((codec) => codec.detect(head)) ?? none;
}

/** The codec of this name: `gzip`, `zstd` or `none`. INVALID_ARGUMENT for any other. */
export function codecByName(name: string): Codec {
  const codec = codecs.find((codec) => codec.name === name);
  if (codec !== undefined) return codec;
  const names = codecs.map((codec) => codec.name).join(', ');
  throw new OciTarError('INVALID_ARGUMENT', `there is no compression ${JSON.stringify(name)}`, { hint: `one of ${names}` });
}

/**
 * The codec that a layer's media type names, OCI's (`…tar`, `…tar+gzip`) and docker's (`…tar.gzip`) alike.
 * Undefined where the type is no tar or its compression is not known here.
 */
export function codecForMediaType(mediaType: string): Codec | undefined {
  const [type = ''] = mediaType.split(';', 1);
  const [, suffix] = /[./]tar(?:[+.]([a-z0-9-]+))?$/i.exec(type.trim()) ?? [];
  if (suffix === undefined) return /[./]tar$/i.test(type.trim()) ? none : undefined;
  return codecs.find((codec) => codec !== none && codec.name === suffix.toLowerCase());
}

/** A stream whose compression was found by looking at its first bytes. */
export interface Decompressed {
  readonly codec: Codec;
  /** The decompressed bytes, to be read once. */
  readonly bytes: ByteStream;
  /** Gives the input up; needed only where `bytes` is not read at all. */
  close(): Promise<void>;
}

/** Finds the compression of a stream by its first bytes and undoes it. Errors are those of `Codec.decompress`. */
export async function decompressed(bytes: ByteStream, options: DecompressOptions = {}): Promise<Decompressed> {
  const reader = new ByteReader(bytes);
  const codec = detectCodec(await reader.peek(headLength));
  return { codec, bytes: codec.decompress(rest(reader), options), close: () => reader.close() };
}

async function* rest(reader: ByteReader): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (;;) {
      const run = await reader.run(4 * runSize);
      if (run === undefined) return;
      yield run;
    }
  } finally {
    await reader.close();
  }
}
