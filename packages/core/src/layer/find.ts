import type { ByteStream } from '../bytes/types.ts';
import type { TarType } from '../tar/entry.ts';
import type { LayerPath } from './path.ts';

/** One path that a layer has an entry of. */
export interface FoundEntry {
  readonly path: LayerPath;
  readonly type: TarType;
  /** Bytes of the file, of a sparse file its full size; 0 for all but files. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a symlink its target as written, of a hardlink the normal form of its target; a character a byte. */
  readonly linkname: string;
  /** The file's bytes, holes filled; to be read once, before the view is asked for something else. */
  read(): ByteStream;
}

/** What one layer says of a path. */
export interface LayerFinding {
  /**
   * What the layer has at the path itself. Where that is a hardlink to a file of the same layer, it is that file (with the path of the
   * link's target); a `hardlink` is one whose target the layers below must have.
   */
  readonly entry?: FoundEntry;
  /** What the layer has above the path that is no directory, the highest first. */
  readonly blockers: readonly { readonly path: LayerPath; readonly type: TarType; readonly linkname: string }[];
  /** How many of the path's first parts the layer has as directories, be it only because there is something in them. */
  readonly directories: number;
  /** Whether a whiteout or an opaque directory keeps the path of the layers below from being seen. */
  readonly closed: boolean;
  /** What is beside the path: by the number of parts above, names in the directory, and whether they are there or taken away. */
  readonly beside: readonly ReadonlyMap<string, boolean>[];
}

export interface LookupOptions {
  /** Looks for a hardlink's target: AUFS's book-keeping is no part of the tree, but such links may point into it. */
  readonly asTarget?: boolean;
  /** So many of the path's first parts are directories in the layers above, so that what this one has in their place is not seen. */
  readonly directories?: number;
}

/** One layer to look for paths in, whatever it takes to find them. */
export interface LayerView {
  /** Reads no more than it takes. Errors are those of reading the layer. */
  lookup(path: LayerPath, options?: LookupOptions): Promise<LayerFinding>;
  /** Gives up what is open; the view can be used again. */
  close(): Promise<void>;
}

/** What a tree has at a path; links are not followed. */
export type Lookup<T> =
  /** Anything at the path itself; a directory that no layer has an entry of comes without one. */
  | { readonly kind: 'found'; readonly entry?: T }
  /** A part above the path is no directory: a symlink, or something else. */
  | { readonly kind: 'blocked'; readonly path: LayerPath; readonly type: TarType; readonly linkname: string }
  /** Nothing there. `path` is as much of it as is there, `names` what that directory has. */
  | { readonly kind: 'missing'; readonly path: LayerPath; readonly names: readonly string[] };

/** Names kept of one directory, to tell what is near. */
const mostNames = 10_000;

/** An entry with the layer that has it. */
export interface LayeredEntry extends FoundEntry {
  /** Position among the views that were searched. */
  readonly layer: number;
}

/**
 * Finds a path in layers, topmost first, as if they were applied one on the other. Layers below the one that decides are not asked.
 * A hardlink to a file of a lower layer comes as that file.
 */
export async function findInLayers(views: readonly LayerView[], path: LayerPath, options: { readonly from?: number; readonly asTarget?: boolean } = {}): Promise<Lookup<LayeredEntry>> {
  const { from = 0, asTarget = false } = options;
  const depth = path.split('/').length;
  const beside = Array.from({ length: depth }, () => new Map<string, boolean>());
  let directories = 0;
  for (let layer = from; layer < views.length; layer++) {
    const view = views[layer];
    if (view === undefined) break;
    const finding = await view.lookup(path, { asTarget, directories });
    const { entry } = finding;
    if (entry !== undefined && (directories < depth || entry.type === 'directory')) return linked(views, layer, entry);
    if (entry !== undefined) break;
    const [blocker] = finding.blockers.filter((found) => found.path.split('/').length > directories);
    if (blocker !== undefined) return blocked(views, layer, blocker);
    directories = Math.max(directories, finding.directories);
    for (const [above, names] of finding.beside.entries()) {
      const known = beside[above];
      for (const [name, there] of names) if (known !== undefined && known.size < mostNames && !known.has(name)) known.set(name, there);
    }
    // What is no directory here takes away what the layers below have in it, even where it is itself not seen.
    if (finding.closed || finding.blockers.length > 0) break;
  }
  if (directories >= depth) return { kind: 'found' };
  const names = [...(beside[directories] ?? [])].flatMap(([name, there]) => (there ? [name] : []));
  return { kind: 'missing', path: path.split('/').slice(0, directories).join('/'), names };
}

/** A hardlink may be a symlink's other name, which leads on. */
async function blocked(views: readonly LayerView[], layer: number, { path, type, linkname }: LayerFinding['blockers'][number]): Promise<Lookup<LayeredEntry>> {
  const itself = type === 'hardlink' ? await findInLayers(views, path, { from: layer }) : undefined;
  const { entry = { type, linkname } } = itself?.kind === 'found' ? itself : {};
  return { kind: 'blocked', path, type: entry.type, linkname: entry.linkname };
}

/** A hardlink whose target is in a layer below; one that leads nowhere stays what it is. */
async function linked(views: readonly LayerView[], layer: number, entry: FoundEntry): Promise<Lookup<LayeredEntry>> {
  if (entry.type !== 'hardlink') return { kind: 'found', entry: { ...entry, layer } };
  const target = await findInLayers(views, entry.linkname, { from: layer + 1, asTarget: true });
  if (target.kind === 'found' && target.entry !== undefined && target.entry.type !== 'directory') return target;
  return { kind: 'found', entry: { ...entry, layer } };
}
