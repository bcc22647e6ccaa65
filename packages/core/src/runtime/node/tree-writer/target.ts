import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, realpathSync, renameSync, constants } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { OciTarError } from '../../../errors.ts';
import { randomHex } from '../builtins.ts';
import { errnoOf, mapErrno } from '../errno.ts';

/** A directory being made: beside its place, for its owner only, until `commit`. */
export interface Target {
  /** Where it is made. */
  readonly place: string;
  /** Gives it its name. CONFLICT where something else has the name by then, or is at its place. */
  commit(made: { readonly dev: bigint; readonly ino: bigint }): void;
  /** To be called in the end, whatever happened. */
  close(): void;
}

/**
 * Makes room for a directory that is to be at `path`, which is not there or is an empty directory: else CONFLICT. Its parent must be there:
 * NOT_FOUND.
 */
export function openTarget(path: string, handles: boolean): Target {
  try {
    const { parent, name } = placeOf(path);
    checkFree(join(parent, name), path);
    const handle = handles ? openSync(parent, constants.O_RDONLY | constants.O_DIRECTORY) : undefined;
    const within = (child: string) => (handle === undefined ? join(parent, child) : `/proc/self/fd/${handle}/${child}`);
    const temporary = `.${[...name].slice(0, 40).join('')}.${randomHex(6)}.tmp`;
    try {
      mkdirSync(within(temporary), 0o700);
    } catch (error) {
      if (handle !== undefined) closeSync(handle);
      throw error;
    }
    return {
      place: handle === undefined ? join(parent, temporary) : within(temporary),
      commit(made) {
        const confirm = (child: string) => {
          const found = lstatSync(within(child), { bigint: true, throwIfNoEntry: false });
          if (found?.ino !== made.ino || found.dev !== made.dev) throw new OciTarError('CONFLICT', `${join(parent, child)} was replaced by another process`, { side: 'target', subject: path });
        };
        confirm(temporary);
        rename(within(temporary), within(name), path);
        confirm(name);
      },
      close() {
        if (handle !== undefined) closeSync(handle);
      },
    };
  } catch (error) {
    throw mapErrno(error, path);
  }
}

/** The caller's own path may lead through links, up to its last part. */
function placeOf(path: string): { readonly parent: string; readonly name: string } {
  const whole = resolve(path);
  const name = basename(whole);
  if (path === '' || name === '') throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(path)} is no directory that could be made`, { side: 'target', subject: path });
  return { parent: realpathSync(dirname(whole)), name };
}

function checkFree(place: string, path: string): void {
  const stats = lstatSync(place, { throwIfNoEntry: false });
  if (stats === undefined) return;
  const taken = (what: string, hint = 'Choose another place, or remove what is there.') => new OciTarError('CONFLICT', `${path} ${what}`, { side: 'target', subject: path, hint });
  if (stats.isSymbolicLink()) throw taken('is a symbolic link');
  if (!stats.isDirectory()) throw taken('is there already, and is no directory');
  if (readdirSync(place).length > 0) throw taken('is a directory with something in it');
  if (place === process.cwd()) throw taken('is the current directory, which would be another one afterwards', 'Name a directory in it.');
}

const notEmpty = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR']);

function rename(from: string, to: string, path: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (notEmpty.has(errnoOf(error) ?? '')) throw new OciTarError('CONFLICT', `something was put at ${path} meanwhile`, { side: 'target', subject: path, cause: error });
    if (errnoOf(error) !== 'EBUSY') throw error;
    throw new OciTarError('CONFLICT', `${path} is in use, perhaps as a mount point`, { side: 'target', subject: path, cause: error, hint: 'Name a directory in it.' });
  }
}
