import { digestBytes } from '../../bytes/digest.ts';
import { bytesSource, collect } from '../../bytes/source.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { zstd } from '../../compression/zstd.ts';
import type { Decompressor, TocOptions } from '../format.ts';
import { parseToc } from '../toc-parse.ts';
import { present } from './estargz.ts';
import { decodeZstdFooter, footerOf, zstdFooterSize } from './zstd-chunked-bytes.ts';
import type { ZstdChunkedVersion } from './zstd-chunked-bytes.ts';

/**
 * Reads zstd:chunked with the footer of this version. An image vouches for the TOC of version 1 by the digest of its JSON (as for eStargz) or of the
 * compressed TOC, for that of version 2 by the latter.
 */
function decompressor(version: ZstdChunkedVersion): Decompressor {
  return {
    name: version === 1 ? 'zstd-chunked-v1' : 'zstd-chunked',
    suffix: zstd.suffix,
    footerSize: zstdFooterSize(version),
    parseFooter(bytes) {
      const footer = decodeZstdFooter(bytes);
      return footer === undefined ? undefined : footerOf(footer);
    },
    async decompressToc(bytes, options) {
      return jsonOf(await compressed(bytes, options), options);
    },
    async parseToc(bytes, options) {
      const packed = await compressed(bytes, options);
      const json = await jsonOf(packed, options);
      const toc = parseToc(json, options);
      const [ofPacked, ofJson] = await Promise.all([digestBytes(packed), digestBytes(json)]);
      return version === 1 ? { toc, tocDigest: ofJson, otherDigests: [ofPacked] } : { toc, tocDigest: ofPacked, otherDigests: [ofJson] };
    },
    reader: (bytes) => zstd.decompress(bytes),
    // Nothing but skippable frames, which come to nothing; what else is there is part of the tar to everyone else.
    tarOfEnd: (bytes) => zstd.decompress(bytes),
  };
}

export const zstdChunkedDecompressor: Decompressor = decompressor(2);
export const zstdChunkedV1Decompressor: Decompressor = decompressor(1);

function compressed(bytes: ByteStream | undefined, { limit }: TocOptions): Promise<Uint8Array> {
  return collect(present(bytes), limit, 'the compressed TOC');
}

function jsonOf(packed: Uint8Array, { limit }: TocOptions): Promise<Uint8Array> {
  return collect(zstd.decompress(bytesSource(packed).read(), { limit }), limit, 'the TOC');
}
