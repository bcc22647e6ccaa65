import { UsageError } from './failure.ts';

/** A path in a container. */
export interface ContainerPath {
  readonly container: string;
  readonly path: string;
}

/** Reads `container:<id or name>:<path>`; undefined for what does not begin with `container:`. */
export function containerPath(word: string): ContainerPath | undefined {
  if (!word.startsWith('container:')) return undefined;
  const [, container, path] = /^container:([^:]+):(.+)$/s.exec(word) ?? [];
  if (container !== undefined && path !== undefined) return { container, path: path.startsWith('/') ? path : `/${path}` };
  throw new UsageError(`${word} names no path in a container`, 'Write container:ID:/path.');
}
