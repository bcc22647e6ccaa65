import type { ByteSink } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';

export async function openOutput(path: string): Promise<ByteSink> {
  throw new OciTarError('UNSUPPORTED', `cannot write ${path}: there is no file system here`, { subject: path });
}
