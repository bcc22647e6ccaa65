import { deflateParallelism } from '#runtime/deflate';
import { memberDigester } from '#runtime/member-digests';
import { digestBytes } from '../../bytes/digest.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { gzip } from '../../compression/gzip.ts';
import { invalidToc } from '../failures.ts';
import type { Decompressor, Footer, SeekableFormat } from '../format.ts';
import { stringifyToc } from '../toc-stringify.ts';
import { tocDigestAnnotation, uncompressedSizeAnnotation } from '../toc.ts';
import { checkGzipLevel, emptyMember, emptyMemberSize, extraOfEmptyMember, gzipMember, smallGzipMember, subfield, textOfSubfield, wholeGzipMember } from './gzip-bytes.ts';
import { jsonOfGzippedTar, tocOfGzippedTar, tocTar } from './toc-tar.ts';

export interface GzipFormatOptions {
  /** 1 (fastest) to 9 (smallest), 6 by default. */
  readonly level?: number;
}

/** Hex digits of the TOC's position, and what comes after them. */
const offsetDigits = 16;
const magic = 'STARGZ';

/** Length of the footer in bytes: an empty gzip member whose extra field has the TOC's position. */
export const footerSize: number = emptyMemberSize(4 + offsetDigits + magic.length);

/**
 * eStargz (stargz-snapshotter, docs/estargz.md): gzip members, the TOC as the tar's last entry in a member of its own,
 * an empty member as the footer. To every other reader it is a gzipped tar. INVALID_ARGUMENT for a level that gzip does not have.
 */
export function estargz(options: GzipFormatOptions = {}): SeekableFormat {
  const { level } = options;
  checkGzipLevel(level);
  return {
    ...estargzDecompressor,
    parallelism: deflateParallelism,
    start: () => ({
      member: (parts) => gzipMember(parts, level),
      async tocAndFooter({ toc, offset, tarSize }) {
        const json = stringifyToc(toc);
        const tar = tocTar(json);
        const tocDigest = await digestBytes(json);
        const size = tar.reduce((sum, part) => sum + part.length, tarSize);
        return {
          bytes: [await gzipMember(tar, level), estargzFooter(offset)],
          tar,
          tocDigest,
          annotations: { [tocDigestAnnotation]: tocDigest, [uncompressedSizeAnnotation]: String(size) },
        };
      },
    }),
  };
}

export const estargzDecompressor: Decompressor = {
  name: 'estargz',
  suffix: gzip.suffix,
  footerSize,
  parseFooter(footer) {
    const extra = extraOfEmptyMember(footer);
    return extra === undefined ? undefined : tocPosition(textOfSubfield(extra));
  },
  decompressToc: (bytes, options) => jsonOfGzippedTar(present(bytes), options),
  parseToc: (bytes, options) => tocOfGzippedTar(present(bytes), options),
  reader: (bytes) => gzip.decompress(bytes),
  strictReader: withoutPadding,
  tarOfEnd: withoutPadding,
  smallMember: smallGzipMember,
  wholeMember: wholeGzipMember,
  ...(memberDigester === undefined ? {} : { memberDigester }),
};

/**
 * Zeros after a member are taken for padding at the end of the file: by some readers of the whole blob in the midst of it, too. A member after them
 * makes them an error.
 */
function withoutPadding(bytes: ByteStream): ByteStream {
  return gzip.decompress(
    (async function* () {
      yield* bytes;
      yield emptyMember(subfield(''));
    })(),
  );
}

/** The footer for a TOC at this position. */
export function estargzFooter(tocOffset: number): Uint8Array {
  return emptyMember(subfield(tocOffset.toString(16).padStart(offsetDigits, '0') + magic));
}

/** Reads `%016xSTARGZ`; undefined where it is something else, INVALID_TOC where it is no position. */
export function tocPosition(text: string | undefined): Footer | undefined {
  if (text === undefined || text.length !== offsetDigits + magic.length || !text.endsWith(magic)) return undefined;
  const digits = text.slice(0, offsetDigits);
  const tocOffset = Number.parseInt(digits, 16);
  if (!/^[0-9a-fA-F]+$/.test(digits) || !Number.isSafeInteger(tocOffset)) {
    throw invalidToc(`has a footer whose position is ${JSON.stringify(digits)}, no number below 2^53`);
  }
  return { payloadSize: tocOffset, tocOffset };
}

/** The bytes that the footer named. These formats always have their TOC in the blob. */
export function present<T>(bytes: T | undefined): T {
  if (bytes !== undefined) return bytes;
  throw invalidToc('is not in the blob, where this format has it');
}
