import type { LoadedCommand } from './command.ts';
import type { MoreCommand } from './more-commands.ts';
import type { TarCommand } from './tar-commands.ts';

/** The command table. A file is loaded only when its command is asked for. */
export interface CommandEntry {
  readonly describe: string;
  /** Another name that does the same; not shown. */
  readonly sameAs?: string;
  load(): Promise<{ readonly command: LoadedCommand }>;
}

/** Those that are seldom asked for lie in a file of their own: what is in this one, everybody waits for. */
function more(name: MoreCommand): CommandEntry['load'] {
  return async () => (await import('./more-commands.ts')).moreCommands[name]();
}

function ofTar(name: TarCommand): CommandEntry['load'] {
  return async () => (await import('./tar-commands.ts')).tarCommands[name]();
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  export: { describe: 'Write images into one OCI archive', load: () => import('./commands/export.ts') },
  import: { describe: 'Take the images of an archive into the local store', load: () => import('./commands/import.ts') },
  copy: { describe: 'Copy an image from one place to another', load: () => import('./commands/copy.ts') },
  create: { describe: 'Make an image from directories or tar files', load: () => import('./commands/create.ts') },
  append: { describe: 'Put new layers on an image', load: more('append') },
  flatten: { describe: 'Make one layer of many, or the root filesystem as a tar', load: more('flatten') },
  ls: { describe: 'List the files of an image', load: more('ls') },
  cat: { describe: 'Print one file of an image', load: more('cat') },
  unpack: { describe: 'Write the root filesystem of an image as a directory', load: more('unpack') },
  diff: { describe: 'Show which files differ between two images', load: more('diff') },
  layers: { describe: "Show an image's layers: sizes, history, what each adds and hides", load: more('layers') },
  pack: { describe: 'Write directories and files into a plain tar', load: ofTar('pack') },
  cp: { describe: 'Copy files into a container, or out of one', load: more('cp') },
  images: { describe: 'List images', load: () => import('./commands/images.ts') },
  inspect: { describe: 'Show what an image is made of', load: () => import('./commands/inspect.ts') },
  referrers: { describe: 'Show what refers to an image: signatures, attestations, SBOMs', load: () => import('./commands/referrers.ts') },
  config: { describe: 'Change how an image is run, without a new layer', load: () => import('./commands/config.ts') },
  index: { describe: 'Put images for several platforms under one name', load: () => import('./commands/index.ts') },
  convert: { describe: 'Write the layers of an image in another form: eStargz, zstd, gzip, plain', load: more('convert') },
  estargz: { describe: 'Build, verify and unpack single layers that can be read in pieces', load: more('estargz') },
  toc: { describe: 'Show which layers of an image can be read in pieces, and who vouches for it', load: more('toc') },
  tag: { describe: 'Give an image one more name', load: () => import('./commands/tag.ts') },
  rm: { describe: 'Remove names from the local store', load: () => import('./commands/rm.ts') },
  prune: { describe: 'Free what no image in the local store needs', load: () => import('./commands/prune.ts') },
  tags: { describe: 'List the tags of a repository, or the repositories of a registry', load: more('tags') },
  login: { describe: 'Keep credentials for a registry', load: more('login') },
  logout: { describe: 'Forget the credentials for a registry', load: more('logout') },
  verify: { describe: 'Check every digest, size, reference and diffID', load: () => import('./commands/verify.ts') },
  usage: { describe: 'Show what a store takes on the disk, and what keeping files once saves', load: more('usage') },
  'tar-split': { describe: 'Take a tar apart into metadata and payloads, and put it together again', load: ofTar('tar-split') },
  serve: { describe: 'Serve archives, directories and stores as a registry', load: more('serve') },
  completion: { describe: 'Print a script that completes commands, flags and names in a shell', load: () => import('./commands/completion.ts') },
  list: { describe: 'List images', sameAs: 'images', load: () => import('./commands/images.ts') },
};
