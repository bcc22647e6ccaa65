import type { ByteStream } from '@oci-tar/core';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';

/** Layers as they are given: paths, and `-` for standard input. */
export function layersOf(words: readonly string[], { io }: Context): readonly (string | ByteStream)[] {
  if (words.filter((word) => word === '-').length > 1) throw new UsageError('standard input can be one layer only');
  if (words.includes('-') && io.stdin.isTerminal) throw new UsageError('standard input is a terminal', 'Pipe a tar into it, or name a file.');
  return words.map((word) => (word === '-' ? io.stdin.bytes() : word));
}
