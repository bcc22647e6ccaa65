import { grown } from './columns.ts';
import { overLimit } from './limits.ts';
import type { MergeLimits } from './limits.ts';
import { parentOf } from './path.ts';
import type { LayerPath } from './path.ts';

/** The id of the root. Every other path has a higher id than the directory that it is in. */
export const rootId = 0;

/** Paths as small numbers, each with the directory that it is in. */
export class PathTable {
  readonly #ids = new Map<LayerPath, number>([['', rootId]]);
  readonly #paths: LayerPath[] = [''];
  readonly #limits: MergeLimits;
  #parents = new Int32Array(64);
  #nameBytes = 0;

  constructor(limits: MergeLimits) {
    this.#limits = limits;
    this.#parents[rootId] = -1;
  }

  get size(): number {
    return this.#paths.length;
  }

  find(path: LayerPath): number | undefined {
    return this.#ids.get(path);
  }

  path(id: number): LayerPath {
    return this.#paths[id] ?? '';
  }

  /** -1 for the root. */
  parent(id: number): number {
    return this.#parents[id] ?? -1;
  }

  /** The id of a path, which is new where the path is, as are those of the directories above it. */
  add(path: LayerPath): number {
    const known = this.#ids.get(path);
    if (known !== undefined) return known;
    const missing = [path];
    let above = parentOf(path);
    let id = this.#ids.get(above);
    while (id === undefined) {
      missing.push(above);
      above = parentOf(above);
      id = this.#ids.get(above);
    }
    this.#checkDepth(path);
    for (const one of missing.toReversed()) id = this.#create(one, id);
    return id;
  }

  /** Bytes of names that are held elsewhere but count as well. */
  hold(bytes: number): void {
    this.#nameBytes += bytes;
    if (this.#nameBytes > this.#limits.nameBytes) throw overLimit('more bytes of names than may be held', this.#limits.nameBytes);
  }

  #create(path: LayerPath, parent: number): number {
    const id = this.#paths.length;
    if (id > this.#limits.entries) throw overLimit('too many paths', this.#limits.entries);
    this.hold(path.length);
    if (id === this.#parents.length) this.#parents = grown(this.#parents, id + 1);
    this.#parents[id] = parent;
    this.#paths.push(path);
    this.#ids.set(path, id);
    return id;
  }

  #checkDepth(path: LayerPath): void {
    const { depth } = this.#limits;
    if (path.length <= 2 * depth - 1) return;
    let parts = 1;
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) parts += 1;
    if (parts > depth) throw overLimit(`a path of ${parts} parts`, depth);
  }
}
