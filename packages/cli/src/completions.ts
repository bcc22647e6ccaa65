import { familiarReference, localStore } from '@oci-tar/core';
import type { Io } from './io.ts';
import { loadNamed, parserOf } from './parse.ts';
import { storePath } from './store-path.ts';

/** Commands whose arguments are names of images in the local store. */
const takeImages: ReadonlySet<string> = new Set(['export', 'copy', 'inspect', 'tag', 'rm', 'verify']);

/** What could stand in place of the last of these words, one a line; called by the scripts of `oci-tar completion`. */
export async function completions(words: readonly string[], io: Io): Promise<string> {
  const args = words[0]?.endsWith('oci-tar') === true ? words.slice(1) : words;
  const current = args.at(-1) ?? '';
  const names = args.slice(0, -1);
  const [command] = names.filter((word) => !word.startsWith('-'));
  const found: string[] = [];
  if (command !== undefined && takeImages.has(command) && !current.startsWith('-')) {
    const before = names.at(-1) ?? '';
    // After a flag with a value stands no image.
    if (!/^--(?:platform|store|output|compress|level|layer)$|^-o$/.test(before)) found.push(...(await imageNames(names, io)));
  } else {
    found.push(...(await parserOf(await loadNamed(names), io, () => {}).getCompletion([...args])));
  }
  return found.map((text) => `${text}\n`).join('');
}

async function imageNames(args: readonly string[], io: Io): Promise<readonly string[]> {
  const given = args.includes('--store') ? args[args.indexOf('--store') + 1] : undefined;
  const names: string[] = [];
  try {
    const store = await localStore(storePath(given, io.env));
    for await (const { name } of store.images()) if (name !== undefined) names.push(familiarReference(name));
    await store.close();
  } catch {
    // A store that cannot be read has no names to offer; the command itself will say why.
  }
  // The colon splits words in zsh's own lists.
  return io.env['SHELL']?.includes('zsh') === true ? names.map((name) => name.replaceAll(':', '\\:')) : names;
}
