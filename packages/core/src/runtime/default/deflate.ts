import { join } from '../../bytes/source.ts';
import { deflateHere } from '../deflate-here.ts';
import type { Deflated, Room } from '../engines.ts';
import { crc32 } from './crc32.ts';

/** One after the other: there are no threads. */
export const deflateParallelism = 1;

/** The same in turns of the thread that asks. */
export function deflateRaw(parts: readonly Uint8Array[], level: number, room: Room): Promise<Deflated> {
  return deflateHere(join(parts), level, room, crc32);
}
