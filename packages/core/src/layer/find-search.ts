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

/** What the entries of a layer say of one path. */
export class PathSearch {
  readonly #path: LayerPath;
  readonly #parts: readonly string[];
  readonly #options: LookupOptions;
  readonly #blockers = new Map<LayerPath, { readonly path: LayerPath; readonly type: TarEntry['type']; readonly linkname: string }>();
  readonly #beside: Map<string, boolean>[];
  #names = 0;
  #directories = 0;
  #closed = false;
  /** Whether the entry that was taken last is at the path itself. */
  isFound = false;

  constructor(path: LayerPath, options: LookupOptions) {
    this.#path = path;
    this.#parts = path.split('/');
    this.#options = options;
    this.#beside = this.#parts.map(() => new Map());
  }

  /** Whether nothing more has to be known. */
  take(entry: TarEntry): boolean {
    const mark = markOf(layerPath(entry.pathBytes), entry.type);
    if (mark.kind === 'metadata') return (this.isFound = this.#options.asTarget === true && mark.path === this.#path);
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
    this.#imply(shared);
    if (mark.kind === 'opaque') {
      if (above && shared < this.#parts.length) this.#closed = true;
      return false;
    }
    if (!above) return false;
    if (shared === this.#parts.length) return (this.isFound = true);
    if (entry.type === 'directory' || mark.path === '') return false;
    // Not a directory after all.
    if (!this.#blockers.has(mark.path)) this.#blockers.set(mark.path, { path: mark.path, type: entry.type, linkname: byteString(entry.linknameBytes.subarray(0, longestTarget)) });
    return shared > (this.#options.directories ?? 0);
  }

  finding(): LayerFinding {
    const blockers = [...this.#blockers.values()].sort((a, b) => a.path.length - b.path.length);
    return { blockers, directories: this.#directories, closed: this.#closed, beside: this.#beside };
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

  #imply(directories: number): void {
    if (directories > this.#directories) this.#directories = directories;
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
