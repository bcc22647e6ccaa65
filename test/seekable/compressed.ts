import { codecByName } from '../../packages/core/src/compression/codecs.ts';
import { gather, inRuns } from '../tar/streams.ts';

export function compressWithCodec(name: string, bytes: Uint8Array): Promise<Uint8Array> {
  return gather(codecByName(name).compress(inRuns(bytes)));
}
