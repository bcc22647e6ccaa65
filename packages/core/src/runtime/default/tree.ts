import { OciTarError } from '../../errors.ts';
import type { TreeEntry, TreeOptions, WalkOptions } from '../tree.ts';

/** There is no file system here: UNSUPPORTED. */
export function walkTree(root: string, _options: TreeOptions = {}): AsyncGenerator<TreeEntry, void, void> {
  throw noFiles(root);
}

/** There is no file system here: UNSUPPORTED. */
export function walkPath(path: string, _name: string | undefined, _options: WalkOptions = {}): AsyncGenerator<TreeEntry, void, void> {
  throw noFiles(path);
}

function noFiles(subject: string): OciTarError {
  return new OciTarError('UNSUPPORTED', 'this runtime has no file system to read a directory from', { subject });
}
