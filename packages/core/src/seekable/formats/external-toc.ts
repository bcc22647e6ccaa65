import { deflateParallelism } from '#runtime/deflate';
import { digestBytes } from '../../bytes/digest.ts';
import type { ByteSource } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import type { Compressor, Decompressor } from '../format.ts';
import { stringifyToc } from '../toc-stringify.ts';
import { tocDigestAnnotation, uncompressedSizeAnnotation } from '../toc.ts';
import type { GzipFormatOptions } from './estargz.ts';
import { estargzDecompressor } from './estargz.ts';
import { checkGzipLevel, emptyMember, emptyMemberSize, extraOfEmptyMember, gzipMember, subfield, textOfSubfield } from './gzip-bytes.ts';
import { jsonOfGzippedTar, tocOfGzippedTar, tocTar } from './toc-tar.ts';

const magic = 'STARGZEXTERNALTOC';

/** The TOC blob that goes with a layer (`TocAndFooter.externalToc`), or what fetches it; undefined where there is none at hand. */
export type ExternalToc = ByteSource | (() => Promise<ByteSource>) | undefined;

/**
 * eStargz whose TOC is a blob of its own (`TocAndFooter.externalToc`: a gzipped tar of the TOC's JSON), so that the layer's tar is nothing but
 * the input; lossless, it keeps its diffID. INVALID_ARGUMENT for a level that gzip does not have.
 */
export function externalTocCompressor(options: GzipFormatOptions = {}): Compressor {
  const { level } = options;
  checkGzipLevel(level);
  return {
    name: 'estargz-external-toc',
    suffix: estargzDecompressor.suffix,
    parallelism: deflateParallelism,
    start: () => ({
      member: (parts) => gzipMember(parts, level),
      async tocAndFooter({ toc, tarSize }) {
        const json = stringifyToc(toc);
        const tocDigest = await digestBytes(json);
        return {
          bytes: [emptyMember(subfield(magic))],
          tar: [],
          tocDigest,
          annotations: { [tocDigestAnnotation]: tocDigest, [uncompressedSizeAnnotation]: String(tarSize) },
          externalToc: await gzipMember(tocTar(json), level),
        };
      },
    }),
  };
}

/** Reads such a layer with the TOC blob given. NOT_FOUND where none is given. */
export function externalTocDecompressor(toc?: ExternalToc): Decompressor {
  const open = async (limit: number) => {
    const source = typeof toc === 'function' ? await toc() : toc;
    if (source === undefined) {
      throw new OciTarError('NOT_FOUND', 'the TOC of this layer is not in it but in a blob of its own, which is not at hand', {
        hint: 'give the TOC, from the image whose tag ends in -esgztoc',
      });
    }
    if (source.size <= limit) return source.read();
    throw new OciTarError('LIMIT_EXCEEDED', `the TOC has ${source.size} compressed bytes, more than the limit of ${limit}`, { limit, actual: source.size });
  };
  return {
    ...estargzDecompressor,
    name: 'estargz-external-toc',
    footerSize: emptyMemberSize(4 + magic.length),
    parseFooter(footer) {
      const extra = extraOfEmptyMember(footer);
      return extra !== undefined && textOfSubfield(extra) === magic ? { tocOffset: -1 } : undefined;
    },
    decompressToc: async (_, options) => jsonOfGzippedTar(await open(options.limit), options),
    parseToc: async (_, options) => tocOfGzippedTar(await open(options.limit), options),
  };
}
