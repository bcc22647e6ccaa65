import { readFileSync } from 'node:fs';
import { OciTarError, estargz, externalTocCompressor, zstdChunked } from '@oci-tar/core';
import type { BuildOptions, Compressor } from '@oci-tar/core';
import { UsageError } from './failure.ts';
import { flagOption, levelOf, textOption } from './options.ts';

/** How layers that can be read in pieces are written. */
export const seekableOptions = {
  'chunk-size': textOption('The most bytes of a file that are read together; 4194304 by default'),
  'min-chunk-size': textOption('Small files share what is compressed together until it has so many bytes: smaller layers; not for stargz-snapshotter before v0.13'),
  prioritize: textOption('A file with paths, one a line: these files come first in their layers, to be fetched ahead'),
  'allow-missing-prioritized': flagOption('No error for a path of --prioritize that no layer has'),
} as const;

export interface SeekableFlags {
  readonly level: number | undefined;
  readonly 'chunk-size': string | undefined;
  readonly 'min-chunk-size': string | undefined;
  readonly prioritize: string | undefined;
}

/** The formats that are written. */
export type SeekableName = 'estargz' | 'estargz-external-toc' | 'zstd-chunked';

/** What writes a format at `--level`. */
export function compressorOf(format: SeekableName, given: Pick<SeekableFlags, 'level'>): Compressor {
  const level = levelOf({ level: given.level, compress: undefined });
  if (format === 'zstd-chunked') return zstdChunked(level);
  return format === 'estargz' ? estargz(level) : externalTocCompressor(level);
}

/** The library's options for what was given, ready to be spread. */
export function seekableOf(format: SeekableName, given: SeekableFlags, lossless: boolean): Pick<BuildOptions, 'chunkSize' | 'minChunkSize' | 'prioritizedFiles' | 'lossless'> {
  const useless = format === 'zstd-chunked' ? (['chunk-size', 'min-chunk-size'] as const).find((flag) => given[flag] !== undefined) : undefined;
  if (useless !== undefined) throw new UsageError(`--${useless} is of eStargz: in zstd:chunked the contents of files say where they are cut`);
  if (lossless && given.prioritize !== undefined) throw new UsageError('where every byte of the tar stays, its files keep their order', 'Leave --prioritize out.');
  const chunkSize = bytesOf(given['chunk-size'], '--chunk-size');
  const minChunkSize = bytesOf(given['min-chunk-size'], '--min-chunk-size');
  return {
    ...(chunkSize === undefined ? {} : { chunkSize }),
    ...(minChunkSize === undefined ? {} : { minChunkSize }),
    ...(given.prioritize === undefined ? {} : { prioritizedFiles: pathsIn(given.prioritize) }),
    // Nothing has to be put first, so its own tools keep the tar as it is, and so does this.
    ...(lossless || (format === 'zstd-chunked' && given.prioritize === undefined) ? { lossless: true } : {}),
  };
}

/** A flag's number of bytes. */
export function bytesOf(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new UsageError(`${flag} takes a number of bytes`);
}

function pathsIn(file: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const problem = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (problem === 'EISDIR') throw new UsageError(`--prioritize ${file} is a directory`, 'It takes a file with paths, one a line.');
    const code = problem === 'ENOENT' ? 'NOT_FOUND' : 'FORBIDDEN';
    throw new OciTarError(code, `--prioritize ${file} cannot be read`, { subject: file, cause });
  }
  return text.split(/\r?\n/).filter((line) => line !== '');
}
