import { OciTarError, decompressed, detectCodec } from '@oci-tar/core';
import type { ByteStream } from '@oci-tar/core';

/** What a compressed archive may unpack to, as for one that is opened as a file: images stay below 20 times, a bomb reaches 1,000. */
const always = 2 ** 30;
const ratio = 200;

/**
 * The plain bytes of an archive from a pipe, compressed or not. LIMIT_EXCEEDED as soon as they are far more than an archive of so
 * many bytes holds; INVALID_TAR where what comes out is compressed once more.
 */
export async function* unpacked(archive: ByteStream): ByteStream {
  let read = 0;
  const counted = async function* (): ByteStream {
    for await (const chunk of archive) {
      read += chunk.byteLength;
      yield chunk;
    }
  };
  const { codec, bytes } = await decompressed(counted());
  if (codec.name === 'none') return yield* bytes;
  let size = 0;
  for await (const chunk of bytes) {
    const again = size === 0 ? detectCodec(chunk).name : 'none';
    if (again !== 'none') throw new OciTarError('INVALID_TAR', `the ${codec.name} stream holds no tar archive, but another ${again} stream`, { side: 'source', offset: 0 });
    size += chunk.byteLength;
    const limit = always + ratio * read;
    if (size > limit) throw bomb(codec.name, read, limit);
    yield chunk;
  }
}

function bomb(codec: string, read: number, limit: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `${read} bytes of ${codec} unpack to more than ${limit} bytes, which no image does`, {
    side: 'source',
    limit,
    hint: `If that is to be trusted, unpack it first: ${codec} -dc in.tar.${codec === 'zstd' ? 'zst' : 'gz'} | oci-tar import -`,
  });
}
