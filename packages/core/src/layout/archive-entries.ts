import { OciTarError } from '../errors.ts';
import { entryPath } from './entry-path.ts';
import { PathMap } from './path-map.ts';
import { layoutPrefix } from './prefix.ts';

/** So many links are followed one after the other; Linux follows 40. */
export const linkLimit = 32;

interface Link {
  readonly type: 'hardlink' | 'symlink';
  readonly target: string;
  /** Another entry of the same name leads elsewhere. */
  readonly disputed?: boolean;
}

/**
 * The entries of an archive by their paths, with links followed inside the archive and a leading folder that everything
 * lies in taken away. A path is only ever looked up here, never handed to a file system.
 */
export class ArchiveEntries<T extends object> {
  readonly #archive: string;
  readonly #files = new PathMap<T>();
  readonly #links = new Map<string, Link>();
  /** Devices and the like, by what they are. */
  readonly #others = new Map<string, string>();
  #prefix: string | undefined;

  /** `archive` is its name in messages. */
  constructor(archive: string) {
    this.#archive = archive;
  }

  /** Adds a plain file, unless there is one of its name; that one is returned. A file goes before a link of its name. */
  addFile(path: string, file: T): T | undefined {
    const name = entryPath(path);
    const earlier = this.#files.get(name);
    if (earlier === undefined) this.#files.set(name, file);
    this.#prefix = undefined;
    return earlier;
  }

  /** Adds what is no plain file; it counts for nothing until it is asked for. */
  addOther(path: string, type: string, linkname: string): void {
    const name = entryPath(path);
    if (type !== 'hardlink' && type !== 'symlink') {
      if (type !== 'directory') this.#others.set(name, type);
      return;
    }
    const earlier = this.#links.get(name);
    const disputed = earlier !== undefined && (earlier.disputed === true || earlier.type !== type || earlier.target !== linkname);
    this.#links.set(name, { type, target: linkname, ...(disputed && { disputed }) });
  }

  /** The folder that everything lies in, with its slash; empty where the layout's files lie at the top. */
  get prefix(): string {
    return (this.#prefix ??= layoutPrefix(this.#files));
  }

  /** Whether there is a file or a link of this path; where a link leads is not looked at. */
  has(path: string): boolean {
    const name = this.prefix + path;
    return this.#files.has(name) || this.#links.has(name);
  }

  /**
   * The file of this path, or the one that its link leads to. NOT_FOUND; UNSAFE_PATH for a link out of the archive;
   * INVALID_LAYOUT for links in a ring and for two links of one name that differ; LIMIT_EXCEEDED after 32 links.
   */
  find(path: string): T {
    const asked = this.prefix + path;
    const passed = new Set<string>();
    for (let at = asked; ; ) {
      const file = this.#files.get(at);
      if (file !== undefined) return file;
      const link = this.#links.get(at);
      if (link === undefined) throw this.#absent(asked, at);
      if (link.disputed) throw this.#invalid(`has two different links called ${at}`, at);
      if (passed.has(at)) throw this.#invalid(`has links in a ring: ${asked} leads back to ${at}`, asked);
      passed.add(at);
      if (passed.size > linkLimit) {
        throw new OciTarError('LIMIT_EXCEEDED', `${this.#archive}: ${asked} leads over more than ${linkLimit} links`, { limit: linkLimit, subject: asked });
      }
      at = this.#targetOf(at, link);
    }
  }

  /** The plain files, without the leading folder. */
  *files(): Iterable<readonly [path: string, file: T]> {
    const { prefix } = this;
    for (const [path, file] of this.#files.entries()) if (path.startsWith(prefix)) yield [path.slice(prefix.length), file];
  }

  /** The names of the links, without the leading folder. */
  *links(): Iterable<string> {
    const { prefix } = this;
    for (const path of this.#links.keys()) if (path.startsWith(prefix)) yield path.slice(prefix.length);
  }

  /** A hard link names its file from the top of the archive, a symbolic one from its own folder. */
  #targetOf(path: string, { type, target }: Link): string {
    if (target.startsWith('/') || target.includes('\0')) throw this.#unsafe(path, target);
    const parts = type === 'hardlink' ? [] : path.split('/').slice(0, -1);
    for (const part of target.split('/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') parts.push(part);
      else if (parts.pop() === undefined) throw this.#unsafe(path, target);
    }
    return parts.join('/');
  }

  #absent(asked: string, at: string): OciTarError {
    const type = this.#others.get(at)?.replace('-', ' ');
    const why = type === undefined ? '' : `: it is a ${type}, not a file`;
    const what = asked === at ? asked : `${at}, which ${asked} is a link to`;
    return new OciTarError('NOT_FOUND', `${this.#archive} has no ${what}${why}`, { subject: asked });
  }

  #invalid(why: string, subject: string): OciTarError {
    return new OciTarError('INVALID_LAYOUT', `${this.#archive} ${why}`, { subject });
  }

  #unsafe(path: string, target: string): OciTarError {
    return new OciTarError('UNSAFE_PATH', `${this.#archive}: ${path} is a link out of the archive, to ${JSON.stringify(target.slice(0, 255))}`, { subject: path });
  }
}
