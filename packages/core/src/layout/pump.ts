import { abortable } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError, isOciTarError } from '../errors.ts';

export interface PumpOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
}

/** Moves a stream into a writer; a failure tells its side and gives the writer up. Does not commit. */
export async function pump(bytes: ByteStream, writer: { write(chunk: Uint8Array): Promise<void>; abort(reason?: unknown): Promise<void> }, options: PumpOptions = {}): Promise<void> {
  let side: 'source' | 'target' = 'source';
  try {
    for await (const chunk of abortable(bytes, options.signal)) {
      side = 'target';
      await writer.write(chunk);
      options.onBytes?.(chunk.byteLength);
      side = 'source';
    }
  } catch (error) {
    await writer.abort(error);
    throw withSide(error, isMismatch(error) ? 'source' : side, options.signal);
  }
}

/** What a writer's commit threw, with its side: bytes that are not what was promised came so from their source. */
export function commitFailure(error: unknown, signal: AbortSignal | undefined): unknown {
  return withSide(error, isMismatch(error) ? 'source' : 'target', signal);
}

function isMismatch(error: unknown): boolean {
  return isOciTarError(error, 'DIGEST_MISMATCH') || isOciTarError(error, 'SIZE_MISMATCH');
}

/** The same error, with the side that failed where it does not tell it yet. The reason of an abort stays as it is. */
function withSide(error: unknown, side: 'source' | 'target', signal: AbortSignal | undefined): unknown {
  if (!isOciTarError(error) || error.details.side !== undefined) return error;
  if (signal?.aborted === true && error === signal.reason) return error;
  return new OciTarError(error.code, error.message, { ...error.details, side, cause: error });
}
