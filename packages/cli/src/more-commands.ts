import type { CommandEntry } from './commands.ts';

export type MoreCommand = keyof typeof moreCommands;

/** Commands whose code is not read before one of them is asked for. */
export const moreCommands = {
  append: () => import('./commands/append.ts'),
  cat: () => import('./commands/cat.ts'),
  convert: () => import('./commands/convert.ts'),
  cp: () => import('./commands/cp.ts'),
  diff: () => import('./commands/diff.ts'),
  estargz: () => import('./commands/estargz.ts'),
  flatten: () => import('./commands/flatten.ts'),
  layers: () => import('./commands/layers.ts'),
  login: () => import('./commands/login.ts'),
  logout: () => import('./commands/logout.ts'),
  ls: () => import('./commands/ls.ts'),
  serve: () => import('./commands/serve.ts'),
  tags: () => import('./commands/tags.ts'),
  toc: () => import('./commands/toc.ts'),
  unpack: () => import('./commands/unpack.ts'),
  usage: () => import('./commands/usage.ts'),
} as const satisfies Readonly<Record<string, CommandEntry['load']>>;
