import { OciTarError } from '../../errors.ts';
import type { WriteEntry, WriteReport, WriteTreeOptions } from '../tree-writer.ts';

/** There is no file system here: UNSUPPORTED. */
export async function writeTree(_entries: AsyncIterable<WriteEntry>, target: string, _options: WriteTreeOptions = {}): Promise<WriteReport> {
  throw new OciTarError('UNSUPPORTED', 'this runtime has no file system to write a directory to', { subject: target });
}
