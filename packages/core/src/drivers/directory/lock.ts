import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { takeLockFile } from './lock-file.ts';
import type { HeldLock, LockTimes } from './lock-file.ts';
import { goneAttempts } from './make-folders.ts';
import { privateFolder } from './private-folder.ts';

/** With the second look that a suspected owner gets, an owner that cannot be asked is given up after a minute. */
export const lockTimes: LockTimes = { timeout: 60_000, heartbeat: 10_000, stale: 45_000 };

export interface LockOptions extends Partial<LockTimes> {
  /** Ends the waiting with its reason; what is done under the lock is its own affair. */
  readonly signal?: AbortSignal;
}

const tails = new Map<string, Promise<void>>();

/**
 * Runs `work` while nobody else, in this process or another, is inside `withLock` of the same path. Not reentrant.
 * A lock whose owner was killed is taken over at once on the same host, after a minute from another.
 * CONFLICT when the lock is not free within `timeout` (60 s); READ_ONLY, FORBIDDEN, NO_SPACE as the file system says.
 *
 * @param path the lock file; its folder is made where it is missing
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const { signal, ...others } = options;
  const times = { ...lockTimes, ...others };
  signal?.throwIfAborted();
  const deadline = performance.now() + times.timeout;
  const real = join(await inOrder(dirname(path)), basename(path));

  const leave = await queue(real, times.timeout, deadline, signal);
  try {
    const lock = await takeLockFile(real, times, deadline, signal);
    return await releasing(lock, work);
  } finally {
    leave();
  }
}

const looking = new Map<string, Promise<unknown>>();

/** The real folder, found in the order of the calls, which the system's answers would mix: the queue for the lock is in that order. */
function inOrder(folder: string): Promise<string> {
  const before = looking.get(folder) ?? Promise.resolve();
  const found = before.then(() => realFolder(folder));
  const over = found.then(
    () => {},
    () => {},
  );
  looking.set(folder, over);
  void over.then(() => {
    if (looking.get(folder) === over) looking.delete(folder);
  });
  return found;
}

/** Made where it is missing. Whoever closes last removes it when it is empty, perhaps between the two calls. */
async function realFolder(folder: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    await privateFolder(folder);
    try {
      return await realpath(folder);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === goneAttempts) throw mapErrno(error, folder);
    }
  }
}

async function releasing<T>(lock: HeldLock, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // The reason that the work failed for is worth more than that of a failing release.
    await lock.release().catch(() => {});
    throw error;
  }
  await lock.release();
  return result;
}

/** Waits behind this process's own users of the lock; the files would have them all poll. */
async function queue(key: string, timeout: number, deadline: number, signal: AbortSignal | undefined): Promise<() => void> {
  const before = tails.get(key) ?? Promise.resolve();
  let done = () => {};
  const mine = new Promise<void>((resolve) => (done = resolve));
  const tail = before.then(() => mine);
  tails.set(key, tail);
  const leave = () => {
    done();
    if (tails.get(key) === tail) tails.delete(key);
  };
  const over = new AbortController();
  const late = setTimeout(deadline - performance.now(), 'late' as const, { signal: joined(over.signal, signal) }).catch(() => 'aborted' as const);
  const outcome = await Promise.race([before, late]);
  over.abort();
  if (outcome !== 'late' && outcome !== 'aborted') return leave;
  // Whoever is next still waits for those before: only this place in the queue is given up.
  void before.then(leave);
  signal?.throwIfAborted();
  throw new OciTarError('CONFLICT', `${key} has been held by this process for the ${timeout / 1000} s that were waited`, {
    subject: key,
    hint: 'Work under the lock must not ask for the same lock.',
  });
}

function joined(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? one : AbortSignal.any([one, other]);
}
