import type { TarEntry } from '../tar/entry.ts';
import type { LayerFinding, LookupOptions } from './find.ts';
import { byteString, layerPath } from './path.ts';
import type { LayerPath } from './path.ts';
import { markOf } from './whiteout.ts';

/** Names kept to tell what is near a path that is not there, and the longest path that they are taken from. */
const mostNames = 10_000;
const longestPath = 4096;

/** As much of a symlink's target is kept; longer ones than Linux has are refused when they are followed. */
const longestTarget = 8192;

/** What is at one of the first parts of the path: a directory, with an entry of its own or without, or something else. */
type Level = { readonly isDirectory: true; readonly offset?: number } | { readonly isDirectory: false; readonly offset: number; readonly type: TarEntry['type']; readonly linkname: string };

export interface SearchOptions extends LookupOptions {
  /**
   * Of several entries of one path, which the image-spec forbids, the last one counts, as when they are unpacked in their order, so that all
   * entries have to be taken. Otherwise the first one.
   */
  readonly last?: boolean;
}

/** What the entries of a layer say of one path, taken in their order. */
export class PathSearch {
  readonly #path: LayerPath;
  readonly #parts: readonly string[];
  readonly #options: SearchOptions;
  /** By the number of parts, less one. */
  readonly #levels: (Level | undefined)[];
  readonly #beside: Map<string, boolean>[];
  #names = 0;
  #closed = false;

  constructor(path: LayerPath, options: SearchOptions) {
    this.#path = path;
    this.#parts = path.split('/');
    this.#options = options;
    this.#levels = this.#parts.map(() => undefined);
    this.#beside = this.#parts.map(() => new Map());
  }

  /** Offset of the entry at the path itself; undefined where there is none. */
  get foundAt(): number | undefined {
    return this.#levels.at(-1)?.offset;
  }

  /** Whether that is a directory. */
  get isDirectory(): boolean {
    return this.#levels.at(-1)?.isDirectory === true;
  }

  /** Whether nothing more has to be known. */
  take(entry: TarEntry): boolean {
    const { last = false, asTarget = false, directories = 0 } = this.#options;
    const mark = markOf(layerPath(entry.pathBytes), entry.type);
    if (mark.kind === 'metadata') {
      if (!asTarget || mark.path !== this.#path) return false;
      this.#place(this.#parts.length, entry);
      return !last;
    }
    const { shared, next } = this.#common(mark.path);
    const note = mark.path.length <= longestPath;
    const above = next === undefined;
    if (mark.kind === 'whiteout') {
      if (above && mark.path !== '') this.#closed = true;
      this.#imply(above ? shared - 1 : shared);
      if (note) this.#note(above ? shared - 1 : shared, next ?? this.#parts[shared - 1], false);
      return false;
    }
    if (note) this.#note(shared, next, true);
    if (mark.kind === 'opaque' || !above) {
      this.#imply(shared);
      if (above && shared < this.#parts.length) this.#closed = true;
      return false;
    }
    if (mark.path === '') return false;
    this.#imply(shared - 1);
    this.#place(shared, entry);
    if (shared === this.#parts.length) return !last;
    return !last && entry.type !== 'directory' && shared > directories;
  }

  finding(): LayerFinding {
    const blockers = this.#levels.slice(0, -1).flatMap((level, position) => {
      if (level === undefined || level.isDirectory) return [];
      return [{ path: this.#parts.slice(0, position + 1).join('/'), type: level.type, linkname: level.linkname }];
    });
    const end = this.#levels.findIndex((level) => level?.isDirectory !== true);
    return { blockers, directories: end < 0 ? this.#parts.length : end, closed: this.#closed, beside: this.#beside };
  }

  #place(parts: number, { type, offset, linknameBytes }: TarEntry): void {
    if (type === 'directory') {
      this.#levels[parts - 1] = { isDirectory: true, offset };
      return;
    }
    // It takes away what was in a directory of its name, here and in the layers below.
    this.#levels.fill(undefined, parts);
    this.#levels[parts - 1] = { isDirectory: false, offset, type, linkname: byteString(linknameBytes.subarray(0, longestTarget)) };
    this.#closed = true;
  }

  /** How many first parts another path has in common with this one, and its next part; no next part where it leads to this one. */
  #common(other: LayerPath): { readonly shared: number; readonly next: string | undefined } {
    if (other === '') return { shared: 0, next: undefined };
    let at = 0;
    for (const [shared, part] of this.#parts.entries()) {
      const end = at + part.length;
      if (!other.startsWith(part, at) || (other.length > end && other[end] !== '/')) return { shared, next: partAt(other, at) };
      if (other.length === end) return { shared: shared + 1, next: undefined };
      at = end + 1;
    }
    return { shared: this.#parts.length, next: partAt(other, at) };
  }

  /** So many of the first parts are directories, whatever they were before. */
  #imply(parts: number): void {
    for (let at = 0; at < parts; at++) if (this.#levels[at]?.isDirectory !== true) this.#levels[at] = { isDirectory: true };
  }

  #note(above: number, name: string | undefined, there: boolean): void {
    const names = this.#beside[above];
    if (names === undefined || name === undefined || this.#names >= mostNames || names.get(name) === true) return;
    if (!names.has(name)) this.#names += 1;
    names.set(name, there);
  }
}

function partAt(path: LayerPath, at: number): string {
  const end = path.indexOf('/', at);
  return path.slice(at, end < 0 ? undefined : end);
}
