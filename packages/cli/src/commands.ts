import type { LoadedCommand } from './command.ts';

/** The command table. A file is loaded only when its command is asked for. */
export interface CommandEntry {
  readonly describe: string;
  /** Another name that does the same; not shown. */
  readonly sameAs?: string;
  load(): Promise<{ readonly command: LoadedCommand }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  export: { describe: 'Write images into one OCI archive', load: () => import('./commands/export.ts') },
  import: { describe: 'Take the images of an archive into the local store', load: () => import('./commands/import.ts') },
  copy: { describe: 'Copy an image from one place to another', load: () => import('./commands/copy.ts') },
  create: { describe: 'Make an image from directories or tar files', load: () => import('./commands/create.ts') },
  images: { describe: 'List images', load: () => import('./commands/images.ts') },
  inspect: { describe: 'Show what an image is made of', load: () => import('./commands/inspect.ts') },
  tag: { describe: 'Give an image one more name', load: () => import('./commands/tag.ts') },
  rm: { describe: 'Remove names from the local store', load: () => import('./commands/rm.ts') },
  verify: { describe: 'Check every digest, size, reference and diffID', load: () => import('./commands/verify.ts') },
  completion: { describe: 'Print a script that completes commands, flags and names in a shell', load: () => import('./commands/completion.ts') },
  list: { describe: 'List images', sameAs: 'images', load: () => import('./commands/images.ts') },
};
