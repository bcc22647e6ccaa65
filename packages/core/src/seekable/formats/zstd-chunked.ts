import { zstdFrame, zstdParallelism } from '#runtime/zstd-frame';
import { digestBytes } from '../../bytes/digest.ts';
import { OciTarError } from '../../errors.ts';
import type { BlobCompressor, LayerEnd, SeekableFormat, TocAndFooter } from '../format.ts';
import { stringifyToc } from '../toc-stringify.ts';
import { tocDigestAnnotation } from '../toc.ts';
import { rollingChunks } from './rolling-chunks.ts';
import { tarHeaderFields } from './tar-header-fields.ts';
import type { TarHeaderFields } from './tar-header-fields.ts';
import { TarSplitPart } from './tar-split-part.ts';
import { encodeZstdFooter, manifestChecksumAnnotations, manifestPosition, manifestPositionAnnotations, positionText, skippableFrame, skippableHeaderSize, tarSplitPositionAnnotation } from './zstd-chunked-bytes.ts';
import type { ZstdChunkedVersion } from './zstd-chunked-bytes.ts';
import { zstdChunkedDecompressor, zstdChunkedV1Decompressor } from './zstd-chunked-read.ts';
import { stringifyZstdToc } from './zstd-chunked-toc.ts';

export interface ZstdChunkedOptions {
  /** 1 (fastest) to 19 (smallest), 3 by default. */
  readonly level?: number;
  /**
   * 2 (default): what podman, buildah and skopeo read and write since 2023. 1: what stargz-snapshotter reads, with an eStargz TOC. Neither reads the other's TOC; to every
   * other reader both are a tar compressed with zstd.
   */
  readonly version?: ZstdChunkedVersion;
}

const defaultLevel = 3;
const highestLevel = 19;

/**
 * zstd:chunked: zstd frames, then TOC and footer in frames that readers pass over. Version 2 has also the means to put the exact tar together out of the layer's files; its chunks
 * are cut by content (`chunkSize` has no effect), global headers are UNSUPPORTED, and a lossless build is what its own tools would write.
 * INVALID_ARGUMENT for a level or version that there is not.
 */
export function zstdChunked(options: ZstdChunkedOptions = {}): SeekableFormat {
  const { level = defaultLevel, version = 2 } = options;
  if (!Number.isInteger(level) || level < 1 || level > highestLevel) throw new OciTarError('INVALID_ARGUMENT', `zstd has levels 1 to ${highestLevel}, not ${level}`);
  if (version !== 1 && version !== 2) throw new OciTarError('INVALID_ARGUMENT', `zstd:chunked has versions 1 and 2, not ${String(version)}`);
  return {
    ...(version === 1 ? zstdChunkedV1Decompressor : zstdChunkedDecompressor),
    parallelism: zstdParallelism,
    start: () => (version === 1 ? new FirstVersion(level) : new SecondVersion(level)),
  };
}

class FirstVersion implements BlobCompressor {
  readonly #level: number;

  constructor(level: number) {
    this.#level = level;
  }

  member(parts: readonly Uint8Array[]): Promise<Uint8Array> {
    return zstdFrame(parts, this.#level);
  }

  async tocAndFooter({ toc, offset }: LayerEnd): Promise<TocAndFooter> {
    const json = stringifyToc(toc);
    const packed = await zstdFrame([json], this.#level);
    const place = { offset: offset + skippableHeaderSize, size: packed.length, rawSize: json.length };
    const tocDigest = await digestBytes(json);
    return {
      bytes: [skippableFrame(packed), encodeZstdFooter(1, { toc: place })],
      tar: [],
      tocDigest,
      annotations: {
        [tocDigestAnnotation]: tocDigest,
        [manifestChecksumAnnotations[1]]: await digestBytes(packed),
        [manifestPositionAnnotations[1]]: manifestPosition(place),
      },
    };
  }
}

class SecondVersion implements BlobCompressor {
  readonly chunksAlone = true;
  readonly takesTocFile = true;
  readonly chunker = rollingChunks;
  readonly #level: number;
  readonly #tarSplit: TarSplitPart;
  /** Of each entry in the order of the tar, which is that of the TOC. */
  readonly #headers: TarHeaderFields[] = [];

  constructor(level: number) {
    this.#level = level;
    this.#tarSplit = new TarSplitPart(level);
  }

  async observe(token: Parameters<NonNullable<BlobCompressor['observe']>>[0]): Promise<void> {
    if (token.kind === 'global') {
      throw new OciTarError('UNSUPPORTED', 'zstd:chunked cannot have global headers, which its readers take for entries', { offset: token.offset, hint: 'build without keeping every byte of the tar' });
    }
    if (token.kind === 'header') this.#headers.push(tarHeaderFields(token.entry, token.bytes));
    await this.#tarSplit.take(token);
  }

  member(parts: readonly Uint8Array[]): Promise<Uint8Array> {
    return zstdFrame(parts, this.#level);
  }

  async tocAndFooter({ toc, offset }: LayerEnd): Promise<TocAndFooter> {
    const split = await this.#tarSplit.finish();
    const json = stringifyZstdToc(toc.entries, this.#headers, split.digest);
    const packed = await zstdFrame([json], this.#level);
    const tocPlace = { offset: offset + skippableHeaderSize, size: packed.length, rawSize: json.length };
    const splitPlace = { offset: tocPlace.offset + packed.length + skippableHeaderSize, size: split.bytes.length, rawSize: split.rawSize };
    const tocDigest = await digestBytes(packed);
    return {
      bytes: [skippableFrame(packed), skippableFrame(split.bytes), encodeZstdFooter(2, { toc: tocPlace, tarSplit: splitPlace })],
      tar: [],
      tocDigest,
      annotations: {
        [manifestChecksumAnnotations[2]]: tocDigest,
        [manifestPositionAnnotations[2]]: manifestPosition(tocPlace),
        [tarSplitPositionAnnotation]: positionText(splitPlace),
      },
    };
  }
}
