import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../runtime/node/errno.ts';

/** How often a folder is made again that another process removes in the same moment. */
export const goneAttempts = 100;

/**
 * Makes a folder and those above it; true when it was not there. What is there may be anything: the caller looks.
 * Not mkdir's own `recursive`, which answers ENOENT where the file system is read-only and stumbles over folders that go away.
 */
export async function makeFolders(path: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(path);
      return true;
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EEXIST') return false;
      const above = dirname(path);
      if (code !== 'ENOENT' || above === path || attempt === goneAttempts) {
        // Some systems say that it may not be made before they say that it is there.
        if ((await stat(path).catch(() => undefined))?.isDirectory()) return false;
        throw error;
      }
      await makeFolders(above);
    }
  }
}
