import type { CommandEntry } from './commands.ts';

export type TarCommand = keyof typeof tarCommands;

/** Commands that know tar archives and no images: a fifth of the code of `moreCommands`, which they would wait 10 ms and more for. */
export const tarCommands = {
  pack: () => import('./commands/pack.ts'),
  'tar-split': () => import('./commands/tar-split.ts'),
} as const satisfies Readonly<Record<string, CommandEntry['load']>>;
