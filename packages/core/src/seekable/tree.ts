import { OciTarError } from '../errors.ts';
import { ChunkList } from './chunk-list.ts';
import { cleanName } from './clean-name.ts';
import { SeekableEntry } from './entry.ts';
import type { SeekableChunk } from './entry.ts';
import { invalidToc, shown } from './failures.ts';
import { resolveHardlinks } from './hardlinks.ts';
import type { Toc, TocEntry } from './toc.ts';

/** A layer's entries as a tree. */
export interface LayerTree {
  readonly root: SeekableEntry;
  /** All content, in the order of the blob. */
  readonly chunks: readonly SeekableChunk[];
  /** Paths of the layer, directories that are not written down and the root included. */
  readonly count: number;
}

export interface TreeOptions {
  /** Where the members of the blob end. */
  readonly payloadSize: number;
  /** Paths that a layer may have, directories that are not written down included: 1,000,000 by default. LIMIT_EXCEEDED. */
  readonly entryLimit?: number;
}

/**
 * Makes the tree that a TOC describes, and refuses one that different readers would see differently (INVALID_TOC): a name twice, a
 * file with something in it, a hardlink to nothing, to a directory or to itself; gaps, overlaps and disorder of chunks.
 */
export function layerTree(toc: Toc, options: TreeOptions): LayerTree {
  const builder = new TreeBuilder(options.entryLimit ?? 1_000_000);
  const chunks = new ChunkList(options.payloadSize);
  for (const entry of toc.entries) {
    if (entry.type === 'chunk') {
      chunks.chunk(entry);
      continue;
    }
    const node: MutableEntry = builder.add(entry, entry.type);
    if (entry.type === 'reg') node.chunks = chunks.file(node, entry);
    else chunks.other();
  }
  const { root, hardlinks } = builder;
  resolveHardlinks(root, hardlinks);
  return { root, chunks: chunks.finish(), count: builder.count };
}

type MutableEntry = { -readonly [Key in keyof SeekableEntry]: SeekableEntry[Key] };
type Children = Map<string, SeekableEntry>;

class TreeBuilder {
  readonly root: SeekableEntry = new SeekableEntry('', 'dir');
  readonly hardlinks: SeekableEntry[] = [];
  count = 1;
  readonly #entryLimit: number;
  readonly #users = new Map<number, string>();
  readonly #groups = new Map<number, string>();
  /** The last one of `#directories` that was asked for: most entries lie beside the one before them. */
  #lastPath = '';
  #lastDirectory: SeekableEntry = this.root;
  /** Directories that entries lie in, by their path. */
  readonly #directories = new Map<string, SeekableEntry>([['', this.root]]);
  readonly #children = new Map<SeekableEntry, Children>();

  constructor(entryLimit: number) {
    this.#entryLimit = entryLimit;
  }

  add(toc: TocEntry, type: SeekableEntry['type']): SeekableEntry {
    const path = cleanName(toc.name);
    const userName = carried(this.#users, toc.uid ?? 0, toc.userName);
    const groupName = carried(this.#groups, toc.gid ?? 0, toc.groupName);
    if (path === '') return this.#adopt(this.root, toc, userName, groupName);
    const slash = path.lastIndexOf('/');
    const parent = this.#directoryAt(path.slice(0, Math.max(0, slash)), path);
    const name = path.slice(slash + 1);
    const before = parent.children.get(name);
    if (before !== undefined) return this.#adopt(before, toc, userName, groupName);
    const entry = new SeekableEntry(path, type, toc, userName, groupName);
    this.#put(parent, name, entry);
    if (type === 'hardlink') this.hardlinks.push(entry);
    return entry;
  }

  /** A directory that was only there for what is in it turns out to be written down. */
  #adopt(before: MutableEntry, toc: TocEntry, userName: string, groupName: string): SeekableEntry {
    if (before.toc !== undefined) throw invalidToc('is there twice', toc.name);
    if (toc.type !== 'dir') throw invalidToc(before.path === '' ? `is the root, and a ${toc.type}` : `is a ${toc.type} with entries below it`, toc.name);
    before.toc = toc;
    before.userName = userName;
    before.groupName = groupName;
    return before;
  }

  /** The directory at `path`; made, with those above it, where it is not there yet. */
  #directoryAt(path: string, of: string): SeekableEntry {
    if (path === this.#lastPath) return this.#lastDirectory;
    const directory = this.#directories.get(path) ?? this.#makeDirectory(path, of);
    this.#lastPath = path;
    this.#lastDirectory = directory;
    return directory;
  }

  #makeDirectory(path: string, of: string): SeekableEntry {
    let directory = this.root;
    let end = -1;
    // Step by step, since a hostile path of many parts must not be looked up as a whole for each of them.
    for (const part of path.split('/')) {
      end += part.length + 1;
      let next = directory.children.get(part);
      if (next === undefined) {
        next = new SeekableEntry(path.slice(0, end), 'dir');
        this.#put(directory, part, next);
      } else if (next.type !== 'dir') {
        throw invalidToc(`is below ${shown(next.path)}, which is a ${next.type}`, of);
      }
      directory = next;
    }
    this.#directories.set(path, directory);
    return directory;
  }

  #put(parent: MutableEntry, name: string, entry: SeekableEntry): void {
    this.count += 1;
    if (this.count > this.#entryLimit) {
      throw new OciTarError('LIMIT_EXCEEDED', `the TOC has more than ${this.#entryLimit} paths`, { limit: this.#entryLimit });
    }
    let children = this.#children.get(parent);
    if (children === undefined) {
      children = new Map();
      this.#children.set(parent, children);
      parent.children = children;
    }
    children.set(name, entry);
    if (entry.type === 'dir') parent.numLink += 1;
  }
}

/** The name for an id: its own, or that of the last entry with this id. */
function carried(names: Map<number, string>, id: number, name: string | undefined): string {
  if (name === undefined || name === '') return names.get(id) ?? '';
  names.set(id, name);
  return name;
}
