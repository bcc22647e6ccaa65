import { distance } from 'fastest-levenshtein';
import { OciTarError } from '../errors.ts';
import { encodeText } from '../tar/text.ts';
import type { TarType } from '../tar/entry.ts';
import type { Lookup } from './find.ts';
import { defaultMergeLimits } from './limits.ts';
import { layerPath, nameOf, textOfPath } from './path.ts';
import type { LayerPath } from './path.ts';

/** As many symlinks as Linux follows on the way to one file (path_resolution(7)). */
const mostLinks = 40;

/** Parts that a path may have with the links on it put in, as trees have at most. */
const mostParts = defaultMergeLimits.depth;

/** PATH_MAX of Linux, in bytes; no symlink has a longer target. */
const longestTarget = 4096;

/** Where a path leads. */
export interface Followed<T> {
  /** Without symlinks and `..`; `''` is the root. */
  readonly path: LayerPath;
  /** Undefined for a directory that no layer has an entry of, and for the root. */
  readonly entry?: T;
}

export interface FollowOptions {
  /** Whether a symlink at the very end is followed; true by default. */
  readonly last?: boolean;
}

/**
 * Follows a path as in a chroot of the tree: from its root, symlinks as they come, `..` of the root being the root.
 * NOT_FOUND, naming what is near, also where a part above is no directory; LIMIT_EXCEEDED behind more than 40 symlinks.
 */
export async function followPath<T extends { readonly type: TarType; readonly linkname: string }>(path: string, lookup: (path: LayerPath) => Promise<Lookup<T>> | Lookup<T>, { last = true }: FollowOptions = {}): Promise<Followed<T>> {
  let at: string[] = [];
  let rest = partsOfText(path);
  const trail: string[] = [];
  const follow = (link: LayerPath, target: string, after: readonly string[]) => {
    trail.push(link);
    if (target.length > longestTarget) throw tooLong(path, link, target.length);
    const parts = split(target);
    at = target.startsWith('/') ? [] : split(link).slice(0, -1);
    rest = [...parts, ...after];
    if (trail.length > mostLinks) throw tooManyLinks(path, trail);
  };
  for (;;) {
    while (rest[0] === '..') {
      at = at.slice(0, -1);
      rest = rest.slice(1);
    }
    const upward = rest.indexOf('..');
    const taken = upward < 0 ? rest.length : upward;
    const after = rest.slice(taken);
    const parts = [...at, ...rest.slice(0, taken)];
    if (parts.length + after.length > mostParts) throw tooDeep(path);
    const wanted = parts.join('/');
    if (wanted === '') return { path: '' };
    const found = await lookup(wanted);
    if (found.kind === 'missing') throw missing(path, wanted, found.path, found.names);
    if (found.kind === 'blocked') {
      if (found.type !== 'symlink') throw noDirectory(path, found.path);
      follow(found.path, found.linkname, [...split(wanted).slice(split(found.path).length), ...after]);
      continue;
    }
    const { entry } = found;
    if (entry?.type === 'symlink' && (last || after.length > 0)) follow(wanted, entry.linkname, after);
    else if (after.length === 0) return entry === undefined ? { path: wanted } : { path: wanted, entry };
    else if (entry !== undefined && entry.type !== 'directory') throw noDirectory(path, wanted);
    else {
      at = split(wanted);
      rest = after;
    }
  }
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** The parts of what a person typed. UNSAFE_PATH for a NUL. */
function partsOfText(text: string): string[] {
  return split(text).map((part) => (part === '..' ? part : layerPath(encodeText(part))));
}

function missing(path: string, wanted: LayerPath, above: LayerPath, names: readonly string[]): OciTarError {
  const rest = above === '' ? wanted : wanted.slice(above.length + 1);
  const [name = ''] = rest.split('/');
  const there = above === '' ? '' : `${above}/`;
  const near = nearNames(name, names).map((found) => `/${textOfPath(there + found)}`);
  const shown = JSON.stringify(`/${textOfPath(wanted)}`);
  const via = textOfPath(wanted) === split(path).join('/') ? '' : `, which ${JSON.stringify(path)} leads to`;
  return new OciTarError('NOT_FOUND', `there is no ${shown} in the image${via}`, { side: 'source', subject: path, ...(near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` }) });
}

/** At most three, the nearest first: few letters differ or are swapped, or one starts with the other. */
export function nearNames(name: string, names: readonly string[]): readonly string[] {
  const most = Math.max(1, Math.floor(name.length / 3));
  const letters = sorted(name);
  const far = (found: string) => {
    if (Math.abs(found.length - name.length) > most) return Infinity;
    return sorted(found) === letters ? 1 : distance(name, found);
  };
  const ranked = names.map((found) => ({ found, far: far(found) }));
  const near = ranked.filter(({ found, far }) => far <= most || (name.length > 1 && (found.startsWith(name) || name.startsWith(`${found}.`))));
  return near.sort((a, b) => a.far - b.far || (a.found < b.found ? -1 : 1)).slice(0, 3).map(({ found }) => found);
}

function sorted(name: string): string {
  return [...name].sort().join('');
}

function noDirectory(path: string, blocker: LayerPath): OciTarError {
  return new OciTarError('NOT_FOUND', `there is no ${JSON.stringify(path)} in the image: ${JSON.stringify(`/${textOfPath(blocker)}`)} is no directory`, { side: 'source', subject: path });
}

function tooManyLinks(path: string, trail: readonly LayerPath[]): OciTarError {
  const names = trail.slice(-3).map((link) => textOfPath(nameOf(link)));
  return new OciTarError('LIMIT_EXCEEDED', `${JSON.stringify(path)} is behind more than ${mostLinks} symlinks, the last ones ${names.join(', ')}`, { limit: mostLinks, subject: path });
}

function tooLong(path: string, link: LayerPath, actual: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `the symlink ${JSON.stringify(`/${textOfPath(link)}`)} has a target of more than ${longestTarget} bytes`, { limit: longestTarget, actual, subject: path });
}

function tooDeep(path: string): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `the path has more than ${mostParts} parts`, { limit: mostParts, subject: path.slice(0, longestTarget) });
}
