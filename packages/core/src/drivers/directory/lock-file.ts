import { link, readdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { createOwnerFile, readOwnerFile } from './owner-file.ts';
import type { OwnerFile, OwnOwnerFile } from './owner-file.ts';
import { liveness, newOwner } from './owner.ts';
import type { Owner } from './owner.ts';
import { privateFolder } from './private-folder.ts';

/** All in milliseconds. */
export interface LockTimes {
  /** How long to wait for the lock before CONFLICT. */
  readonly timeout: number;
  /** How often the holder touches its file. */
  readonly heartbeat: number;
  /** Untouched for longer than this, an owner that cannot be asked is taken for dead. */
  readonly stale: number;
}

export interface HeldLock {
  readonly owner: Owner;
  release(): Promise<void>;
}

/**
 * Takes the lock `path`, which only ever appears with its owner written in it. A lock whose owner is dead is broken,
 * by one process at a time: whoever holds `<path>.<owner's id>`, a lock of the same kind. Ids are never used twice,
 * so a late breaker finds another id in the lock and leaves it alone.
 * CONFLICT at `deadline` (of `performance.now()`), naming the owner.
 */
export async function takeLockFile(path: string, times: LockTimes, deadline: number, signal?: AbortSignal): Promise<HeldLock> {
  const owner = await newOwner();
  const temporary = `${path}.tmp-${owner.id}`;
  let file: OwnOwnerFile | undefined;
  let held = false;
  const suspicion = new Suspicion(times);
  try {
    file = await createIn(temporary, owner);
    for (;;) {
      signal?.throwIfAborted();
      const taken = await claim(path, temporary, owner, file);
      if (taken !== undefined) {
        held = true;
        return holding(path, owner, taken, times);
      }
      const other = await readOwnerFile(path);
      if (other === undefined) continue;
      if (other.id === owner.id) {
        // Over NFS `link` may succeed and its answer get lost.
        held = true;
        return holding(path, owner, file, times);
      }
      if (await suspicion.isDead(other, file)) await breakLock(path, other, times, deadline, signal);
      else if (performance.now() >= deadline) throw conflict(path, other, times);
      else await setTimeout(5 + Math.random() * 45);
    }
  } catch (error) {
    throw mapErrno(error, path);
  } finally {
    if (!held) await file?.close();
    await unlink(temporary).catch(() => {});
  }
}

/** Tells a dead owner from a slow one. */
class Suspicion {
  readonly #times: LockTimes;
  #id = '';
  #touched = 0;
  #since = 0;

  constructor(times: LockTimes) {
    this.#times = times;
  }

  async isDead(other: OwnerFile, own: OwnOwnerFile): Promise<boolean> {
    const state = other.owner === undefined ? 'unknown' : await liveness(other.owner);
    if (state !== 'unknown') return state === 'dead';
    if ((await own.touch()) - other.touched <= this.#times.stale) return false;
    if (this.#id !== other.id || this.#touched !== other.touched) {
      this.#id = other.id;
      this.#touched = other.touched;
      this.#since = performance.now();
    }
    // A machine that slept, or a file server that was away, held up the owner too: it gets time for one more touch.
    return performance.now() - this.#since > this.#times.heartbeat * 1.1;
  }
}

/** Makes `path` with this owner in it; `undefined` when it is there already. */
async function claim(path: string, temporary: string, owner: Owner, file: OwnOwnerFile): Promise<OwnOwnerFile | undefined> {
  try {
    await link(temporary, path);
    return file;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return undefined;
    if (code === undefined || !noHardLinks.has(code)) throw error;
  }
  // No hard links here (FAT, some network and FUSE file systems). A process killed between the creation and the write
  // leaves a lock without an owner, which falls to its age.
  try {
    const created = await createOwnerFile(path, owner);
    await file.close();
    return created;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/** EISDIR is what libuv makes of Windows' answer. */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR']);

async function breakLock(path: string, seen: OwnerFile, times: LockTimes, deadline: number, signal: AbortSignal | undefined): Promise<void> {
  const right = await takeLockFile(`${path}.${seen.id}`, times, deadline, signal);
  try {
    const now = await readOwnerFile(path);
    if (now !== undefined && now.id === seen.id && now.touched === seen.touched) await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  } finally {
    await right.release();
  }
}

function holding(path: string, owner: Owner, file: OwnOwnerFile, times: LockTimes): HeldLock {
  let touching = Promise.resolve();
  const timer = setInterval(() => {
    touching = file.touch().then(
      () => {},
      () => {},
    );
  }, times.heartbeat);
  timer.unref();
  return {
    owner,
    async release() {
      clearInterval(timer);
      await touching;
      await file.close();
      const now = await readOwnerFile(path);
      if (now?.id !== owner.id) return;
      await unlink(path).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw mapErrno(error, path);
      });
    },
  };
}

/**
 * Removes what killed processes left beside a lock: their temporary files, and rights to break an owner that no longer
 * holds the lock. Those are void for ever, held or not.
 */
export async function sweepLockFiles(path: string, now: number, grace: number): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = await readdir(folder);
  // Only after the names: a right listed here was given while, or before, the lock had this holder.
  const holder = await readOwnerFile(path);
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const beside = join(folder, name);
    const [subject = ''] = name.slice(prefix.length).split('.');
    if (name.includes('.tmp-') ? await isAbandoned(beside, now, grace) : subject !== holder?.id) await unlink(beside).catch(() => {});
  }
}

/** Whether the owner in a file is dead, or cannot be asked and has not touched it for `grace` milliseconds before `now`. */
export async function isAbandoned(path: string, now: number, grace: number): Promise<boolean> {
  const file = await readOwnerFile(path).catch(() => undefined);
  if (file === undefined) return false;
  const state = file.owner === undefined ? 'unknown' : await liveness(file.owner);
  return state === 'dead' || (state === 'unknown' && now - file.touched > grace);
}

/** The folder may go away between its creation and ours: an emptied one is removed by whoever closes last. */
async function createIn(path: string, owner: Owner): Promise<OwnOwnerFile> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOwnerFile(path, owner);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === 100) throw error;
      await privateFolder(dirname(path));
    }
  }
}

function conflict(path: string, { owner }: OwnerFile, { timeout }: LockTimes): OciTarError {
  const who = owner === undefined ? 'an owner that cannot be told' : `process ${owner.pid} on ${owner.host}`;
  return new OciTarError('CONFLICT', `${path} has been held by ${who} for the ${timeout / 1000} s that were waited`, {
    subject: path,
    hint: 'Wait until it is done. If it surely no longer runs, remove the file.',
  });
}
