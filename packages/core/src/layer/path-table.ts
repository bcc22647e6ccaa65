import { decodeText } from '../tar/text.ts';
import { grown } from './columns.ts';
import { overLimit } from './limits.ts';
import type { MergeLimits } from './limits.ts';
import { byteString } from './path.ts';
import type { LayerPath } from './path.ts';

/** The id of the root. Every other path has a higher id than the directory that it is in. */
export const rootId = 0;

/** Of FNV-1a, 32 bits. */
const prime = 0x01000193;

/** Half full, a table of 5,000,000 has runs of some 200; whoever has made names for more means to be slow. */
const longestRun = 4096;

const slash = 0x2f;
const ascii = /^[ -~]*$/;

/**
 * Paths as small numbers, each with the directory that it is in. The names are bytes in one array, found by a hash table in another: as
 * many strings would have the garbage collector look at each of them every time that it runs, which for 10^6 took half of all time.
 */
export class PathTable {
  readonly #limits: MergeLimits;
  #names = new Uint8Array(4096);
  /** Where each name ends; the one before it is where it starts. */
  #ends = new Float64Array(64);
  #hashes = new Int32Array(64);
  #parents = new Int32Array(64);
  /** Ids plus one; 0 is free. A power of two, at most half full. */
  #slots = new Int32Array(256);
  #held = 0;
  /** Another one for each table, so that names cannot be made to collide. Ids do not depend on it. */
  readonly #basis = Math.floor(Math.random() * 2 ** 32) | 0;
  size = 0;

  constructor(limits: MergeLimits) {
    this.#limits = limits;
    this.#create('', 0, -1, this.#hash('', 0));
  }

  find(path: LayerPath): number | undefined {
    const id = this.#lookUp(path, path.length, this.#hash(path, path.length));
    return id < 0 ? undefined : id;
  }

  path(id: number): LayerPath {
    const bytes = this.#names.subarray(this.#start(id), this.#ends[id]);
    const text = decodeText(bytes);
    return ascii.test(text) ? text : byteString(bytes);
  }

  /** -1 for the root. */
  parent(id: number): number {
    return this.#parents[id] ?? -1;
  }

  /** The id of a path, which is new where the path is, as are those of the directories above it. */
  add(path: LayerPath): number {
    const hash = this.#hash(path, path.length);
    const known = this.#lookUp(path, path.length, hash);
    if (known >= 0) return known;
    this.#checkDepth(path);
    // The lengths of the paths that are missing, the longest first.
    const missing = [path.length];
    let id = -1;
    while (id < 0) {
      const length = Math.max(0, path.lastIndexOf('/', (missing.at(-1) ?? 0) - 1));
      id = length === 0 ? rootId : this.#lookUp(path, length, this.#hash(path, length));
      if (id < 0) missing.push(length);
    }
    for (let i = missing.length - 1; i >= 0; i--) {
      const length = missing[i] ?? 0;
      id = this.#create(path, length, id, i === 0 ? hash : this.#hash(path, length));
    }
    return id;
  }

  /** Bytes of names that are held elsewhere but count as well. */
  hold(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#limits.nameBytes) throw overLimit('more bytes of names than may be held', this.#limits.nameBytes);
  }

  #start(id: number): number {
    return id === 0 ? 0 : (this.#ends[id - 1] ?? 0);
  }

  /** The id of the first `length` characters; -1 where there is none. */
  #lookUp(path: LayerPath, length: number, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = spread(hash) & mask, run = 0; ; slot = (slot + 1) & mask, run++) {
      if (run > longestRun) throw overLimit('names that collide', longestRun);
      const id = (this.#slots[slot] ?? 0) - 1;
      if (id < 0) return -1;
      if (this.#hashes[id] === hash && this.#is(id, path, length)) return id;
    }
  }

  #is(id: number, path: LayerPath, length: number): boolean {
    const start = this.#start(id);
    if ((this.#ends[id] ?? 0) - start !== length) return false;
    for (let i = 0; i < length; i++) if (this.#names[start + i] !== path.charCodeAt(i)) return false;
    return true;
  }

  #create(path: LayerPath, length: number, parent: number, hash: number): number {
    const id = this.size;
    if (id > this.#limits.entries) throw overLimit('too many paths', this.#limits.entries);
    this.hold(length);
    const start = this.#start(id);
    if (start + length > this.#names.length) this.#names = grown(this.#names, start + length);
    if (id === this.#ends.length) {
      this.#ends = grown(this.#ends, id + 1);
      this.#hashes = grown(this.#hashes, id + 1);
      this.#parents = grown(this.#parents, id + 1);
    }
    for (let i = 0; i < length; i++) this.#names[start + i] = path.charCodeAt(i);
    this.#ends[id] = start + length;
    this.#hashes[id] = hash;
    this.#parents[id] = parent;
    this.size = id + 1;
    if (2 * this.size > this.#slots.length) this.#widen();
    else this.#insert(id, hash);
    return id;
  }

  #insert(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = spread(hash) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id + 1;
  }

  #widen(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let id = 0; id < this.size; id++) this.#insert(id, this.#hashes[id] ?? 0);
  }

  #hash(path: LayerPath, length: number): number {
    let hash = this.#basis;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), prime);
    return hash;
  }

  #checkDepth(path: LayerPath): void {
    const { depth } = this.#limits;
    if (path.length <= 2 * depth - 1) return;
    let parts = 1;
    for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) === slash) parts += 1;
    if (parts > depth) throw overLimit(`a path of ${parts} parts`, depth);
  }
}

/** The high bits of FNV are the better ones. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
