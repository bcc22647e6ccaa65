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
    if (options.signal?.aborted === true && error === options.signal.reason) throw error;
    throw withSide(error, isOciTarError(error, 'DIGEST_MISMATCH') || isOciTarError(error, 'SIZE_MISMATCH') ? 'source' : side);
  }
}

/** The same error, with the side that failed where it does not tell it yet. */
export function withSide(error: unknown, side: 'source' | 'target'): unknown {
  if (!isOciTarError(error) || error.details.side !== undefined) return error;
  return new OciTarError(error.code, error.message, { ...error.details, side, cause: error });
}
