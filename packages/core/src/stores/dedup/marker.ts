import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Says that a layout directory is a deduplicated store; its one line is the version of what lies beside it. */
export const markerPath = 'dedup/version';
export const markerLine = '1\n';

/** Whether a directory is a deduplicated store. */
export function isDedupDirectory(path: string): boolean {
  return existsSync(join(path, markerPath));
}
