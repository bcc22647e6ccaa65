import { chmodSync, chownSync, fchmodSync, fchownSync, fstatSync, futimesSync, lchownSync, lutimesSync, utimesSync } from 'node:fs';
import { errnoOf } from '../errno.ts';
import type { LeftOut, LeftOutKind, WriteEntry } from '../../tree-writer.ts';
import { textOf } from './names.ts';
import type { TreePath } from './names.ts';

/** What an entry says of a file beside its name and content. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

export function attributesOf(entry: WriteEntry): Attributes {
  return { mode: (entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644)) & 0o7777, uid: entry.uid ?? 0, gid: entry.gid ?? 0, mtime: entry.mtime ?? 0 };
}

/** How many paths of a kind are named in the report. */
const mostNamed = 20;

/** Owners, modes and times where they can be had, and the account of those that cannot. */
export class Owners {
  readonly #rootless: boolean;
  readonly #uid = process.geteuid?.() ?? 0;
  readonly #gid = process.getegid?.() ?? 0;
  readonly #left = new Map<LeftOutKind, { count: number; readonly paths: string[] }>();

  constructor(rootless: boolean) {
    this.#rootless = rootless;
  }

  get rootless(): boolean {
    return this.#rootless;
  }

  /** Of a directory that no entry speaks of. */
  get impliedDirectory(): Attributes {
    const owner = this.#rootless ? { uid: this.#uid, gid: this.#gid } : { uid: 0, gid: 0 };
    return { mode: 0o755, ...owner, mtime: 0 };
  }

  leave(kind: LeftOutKind, path: TreePath, count = 1): void {
    const left = this.#left.get(kind) ?? { count: 0, paths: [] };
    this.#left.set(kind, left);
    left.count += count;
    if (left.paths.length < mostNamed) left.paths.push(textOf(path));
  }

  report(): readonly LeftOut[] {
    return [...this.#left].map(([kind, { count, paths }]) => ({ kind, count, paths }));
  }

  /** Of an open file or directory. The owner comes first: a change of owner takes setuid bits away. */
  ofHandle(handle: number, attributes: Attributes, path: TreePath): void {
    this.#own(attributes, path, () => fchownSync(handle, attributes.uid, attributes.gid));
    fchmodSync(handle, attributes.mode);
    this.#checkMode(attributes, path, () => fstatSync(handle).mode);
    this.#time(attributes, path, (time) => futimesSync(handle, time, time));
  }

  /** Of what a path leads to that cannot be led astray: one of an open handle. */
  ofPath(place: string | Buffer, attributes: Attributes, path: TreePath): void {
    this.#own(attributes, path, () => chownSync(place, attributes.uid, attributes.gid));
    chmodSync(place, attributes.mode);
    this.#time(attributes, path, (time) => utimesSync(place, time, time));
  }

  /** Of a symbolic link, which has no mode. */
  ofLink(place: string | Buffer, attributes: Attributes, path: TreePath): void {
    this.#own(attributes, path, () => lchownSync(place, attributes.uid, attributes.gid));
    this.#time(attributes, path, (time) => lutimesSync(place, time, time));
  }

  #own({ uid, gid }: Attributes, path: TreePath, change: () => void): void {
    if (this.#rootless) {
      if (uid !== this.#uid || gid !== this.#gid) this.leave('owner', path);
      return;
    }
    try {
      change();
    } catch (error) {
      // Root of a user namespace has only the owners that are mapped into it (EINVAL).
      if (!refused.has(errnoOf(error) ?? '')) throw error;
      this.leave('owner', path);
    }
  }

  /** Who is not in a file's group loses its setgid bit, without an error. */
  #checkMode({ mode }: Attributes, path: TreePath, read: () => number): void {
    if ((mode & 0o6000) !== 0 && ((read() ^ mode) & 0o7777) !== 0) this.leave('mode', path);
  }

  #time({ mtime }: Attributes, path: TreePath, change: (time: number | Date) => void): void {
    try {
      change(systemTime(mtime));
    } catch (error) {
      if (!refused.has(errnoOf(error) ?? '')) throw error;
      this.leave('time', path);
    }
  }
}

const refused = new Set(['EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ERR_OUT_OF_RANGE']);

/** What Node takes for a time: it cuts to microseconds, and takes a negative number for now. */
function systemTime(seconds: number): number | Date {
  if (!Number.isFinite(seconds)) return 0;
  if (seconds < 0) return new Date(Math.max(-8.64e15, seconds * 1000));
  // A double of today's times is off by up to 0.12 us, which must not cut it to the microsecond before.
  return Number.isInteger(seconds) ? seconds : Math.floor(seconds * 1e6 + 0.3) / 1e6 + 3e-7;
}
