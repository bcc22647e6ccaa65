import { chmodSync, closeSync, constants, fstatSync, openSync, opendirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import type { Dir } from 'node:fs';
import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Turns } from '../../turns.ts';
import { randomHex } from '../builtins.ts';
import { errnoOf } from '../errno.ts';
import { systemPath } from './names.ts';
import { oPath } from './specials.ts';

/** So many names of a directory are held at once. */
const batchSize = 512;

/** Deeper than this a directory is moved to the top first: each level holds two handles, and a process has only so many. */
const mostLevels = 64;

interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

interface Level {
  readonly handle: number;
  readonly place: string | Buffer;
  readonly listing: Dir;
  /** Whether names were taken away or added while it was listed. */
  changed: boolean;
}

/**
 * Removes a directory, which must still be this one, with all that is in it, links as links, whatever the modes of directories below it.
 * Resolves without an error where something cannot be removed: whoever cleans up has another error to tell.
 */
export async function removeTree(place: string, root: Identity, handles: boolean): Promise<void> {
  if (!handles) return removeByPath(place);
  const turns = new Turns();
  const stack: Level[] = [];
  try {
    enter(stack, place, root);
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      await turns.rest();
      const entry = level.listing.readSync();
      if (entry === null) {
        leave(stack);
        continue;
      }
      const at = systemPath(`/proc/self/fd/${level.handle}/`, entry.name);
      level.changed = true;
      if (!entry.isDirectory()) unlinkSync(at);
      else if (stack.length < mostLevels) enter(stack, at);
      else {
        enter(stack, at);
        shut(stack.pop());
        moveUp(stack, at);
      }
    }
  } catch {
    // Left where it is; its name says that it is temporary.
  } finally {
    for (const level of stack) shut(level);
  }
}

async function removeByPath(place: string): Promise<void> {
  const removal = () => rm(place, { recursive: true, force: true, maxRetries: 2 });
  await removal()
    .catch(async () => {
      await unlock(place);
      await removal();
    })
    .catch(() => {});
}

/** Lets the owner into the directories below, whatever their modes are. */
async function unlock(place: string): Promise<void> {
  await chmod(place, 0o700);
  for (const entry of await readdir(place, { withFileTypes: true })) if (entry.isDirectory()) await unlock(join(place, entry.name));
}

function shut(level: Level | undefined): void {
  level?.listing.closeSync();
  if (level !== undefined) closeSync(level.handle);
}

function moveUp([top]: readonly Level[], place: string | Buffer): void {
  if (top === undefined) return;
  renameSync(place, `/proc/self/fd/${top.handle}/.${randomHex(12)}`);
  top.changed = true;
}

function enter(stack: Level[], place: string | Buffer, expected?: Identity): void {
  const flags = constants.O_DIRECTORY | constants.O_NOFOLLOW;
  // By a handle that asks for no right, since a directory of mode 000 cannot be opened, and a path could have become a link.
  const probe = openSync(place, oPath | flags);
  try {
    const stats = fstatSync(probe, { bigint: true });
    if (expected !== undefined && (stats.dev !== expected.dev || stats.ino !== expected.ino)) return;
    chmodSync(`/proc/self/fd/${probe}`, 0o700);
    const handle = openSync(`/proc/self/fd/${probe}/.`, constants.O_RDONLY | flags);
    stack.push({ handle, place, listing: opendirSync(`/proc/self/fd/${handle}`, { encoding: 'latin1', bufferSize: batchSize }), changed: false });
  } finally {
    closeSync(probe);
  }
}

/** A directory whose names changed while it was listed may not have been listed to its end. */
function leave(stack: Level[]): void {
  const level = stack.pop();
  if (level === undefined) return;
  shut(level);
  try {
    rmdirSync(level.place);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' || !level.changed) throw error;
    enter(stack, level.place);
  }
}
