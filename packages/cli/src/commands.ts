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
  append: { describe: 'Put new layers on an image', load: () => import('./commands/append.ts') },
  flatten: { describe: 'Make one layer of many, or the root filesystem as a tar', load: () => import('./commands/flatten.ts') },
  ls: { describe: 'List the files of an image', load: () => import('./commands/ls.ts') },
  cat: { describe: 'Print one file of an image', load: () => import('./commands/cat.ts') },
  unpack: { describe: 'Write the root filesystem of an image as a directory', load: () => import('./commands/unpack.ts') },
  diff: { describe: 'Show which files differ between two images', load: () => import('./commands/diff.ts') },
  layers: { describe: "Show an image's layers: sizes, history, what each adds and hides", load: () => import('./commands/layers.ts') },
  pack: { describe: 'Write directories and files into a plain tar', load: () => import('./commands/pack.ts') },
  cp: { describe: 'Copy files into a container, or out of one', load: () => import('./commands/cp.ts') },
  images: { describe: 'List images', load: () => import('./commands/images.ts') },
  inspect: { describe: 'Show what an image is made of', load: () => import('./commands/inspect.ts') },
  referrers: { describe: 'Show what refers to an image: signatures, attestations, SBOMs', load: () => import('./commands/referrers.ts') },
  config: { describe: 'Change how an image is run, without a new layer', load: () => import('./commands/config.ts') },
  index: { describe: 'Put images for several platforms under one name', load: () => import('./commands/index.ts') },
  convert: { describe: 'Write the layers of an image in another form: eStargz, zstd, gzip, plain', load: () => import('./commands/convert.ts') },
  estargz: { describe: 'Build, verify and unpack single layers that can be read in pieces', load: () => import('./commands/estargz.ts') },
  toc: { describe: 'Show which layers of an image can be read in pieces, and who vouches for it', load: () => import('./commands/toc.ts') },
  tag: { describe: 'Give an image one more name', load: () => import('./commands/tag.ts') },
  rm: { describe: 'Remove names from the local store', load: () => import('./commands/rm.ts') },
  prune: { describe: 'Free what no image in the local store needs', load: () => import('./commands/prune.ts') },
  tags: { describe: 'List the tags of a repository, or the repositories of a registry', load: () => import('./commands/tags.ts') },
  login: { describe: 'Keep credentials for a registry', load: () => import('./commands/login.ts') },
  logout: { describe: 'Forget the credentials for a registry', load: () => import('./commands/logout.ts') },
  verify: { describe: 'Check every digest, size, reference and diffID', load: () => import('./commands/verify.ts') },
  usage: { describe: 'Show what a store takes on the disk, and what keeping files once saves', load: () => import('./commands/usage.ts') },
  'tar-split': { describe: 'Take a tar apart into metadata and payloads, and put it together again', load: () => import('./commands/tar-split.ts') },
  serve: { describe: 'Serve archives, directories and stores as a registry', load: () => import('./commands/serve.ts') },
  completion: { describe: 'Print a script that completes commands, flags and names in a shell', load: () => import('./commands/completion.ts') },
  list: { describe: 'List images', sameAs: 'images', load: () => import('./commands/images.ts') },
};
