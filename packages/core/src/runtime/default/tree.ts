import { OciTarError } from '../../errors.ts';
import type { TreeEntry, TreeOptions } from '../tree.ts';

/** There is no file system here: UNSUPPORTED. */
export function walkTree(root: string, _options: TreeOptions = {}): AsyncGenerator<TreeEntry, void, void> {
  throw new OciTarError('UNSUPPORTED', 'this runtime has no file system to read a directory from', { subject: root });
}
