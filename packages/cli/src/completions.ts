import { familiarReference, localStore } from '@oci-tar/core';
import { describeFlags } from './command.ts';
import { commands } from './commands.ts';
import type { Io } from './io.ts';
import { globalOptions } from './options.ts';
import { storePath } from './store-path.ts';

/** Commands whose arguments are names of images in the local store. */
const takeImages: ReadonlySet<string> = new Set(['export', 'copy', 'inspect', 'referrers', 'tag', 'rm', 'config', 'index', 'verify', 'ls', 'cat', 'diff', 'layers', 'append', 'flatten', 'unpack', 'convert', 'toc']);

/** Words that can follow a flag. */
const flagValues: Readonly<Record<string, readonly string[]>> = { '--compress': ['gzip', 'zstd', 'none'] };
/** Flags that are followed by a path or by something that cannot be guessed. */
const otherValues = /^(?:-o|--(?:output|store|platform|level|max-referrers|base-name|layer|entrypoint|cmd|env|label|annotation|user|workdir|expose|env-rm|label-rm|annotation-rm|expose-rm|volume|stop-signal|author|created|created-by|comment|whiteout|opaque))$/;

interface Choice {
  readonly word: string;
  readonly describe?: string;
}

/**
 * What could stand in place of the last of these words, one a line; called by the scripts of `oci-tar completion`.
 * Nothing means that the shell offers files. (yargs' own list needs a whole parse and leaves flags of commands out.)
 */
export async function completions(words: readonly string[], io: Io): Promise<string> {
  const args = words[0]?.endsWith('oci-tar') === true ? words.slice(1) : words;
  const found = await choices(args.slice(0, -1), args.at(-1) ?? '', io);
  return found.map((choice) => `${lineFor(choice, io.env['SHELL'] ?? '')}\n`).join('');
}

async function choices(before: readonly string[], current: string, io: Io): Promise<readonly Choice[]> {
  const last = before.at(-1) ?? '';
  const values = flagValues[last];
  if (values !== undefined) return values.map((word) => ({ word }));
  if (otherValues.test(last)) return [];
  const name = before.find((word) => Object.hasOwn(commands, word));
  const entry = name === undefined || name === 'help' ? undefined : commands[name];
  if (current.startsWith('-')) {
    const own = entry === undefined ? {} : (await entry.load()).command.flags;
    return Object.entries({ ...own, ...describeFlags(globalOptions), help: 'Show help' }).map(([flag, describe]) => ({ word: `--${flag}`, describe }));
  }
  if (name === undefined) {
    const shown = Object.entries(commands).filter(([, { sameAs }]) => sameAs === undefined);
    return shown.map(([word, { describe }]) => ({ word, describe }));
  }
  if (name === 'completion') return ['bash', 'zsh', 'fish'].map((word) => ({ word }));
  return takeImages.has(name) ? imageNames(before, io) : [];
}

async function imageNames(args: readonly string[], io: Io): Promise<readonly Choice[]> {
  const given = args.includes('--store') ? args[args.indexOf('--store') + 1] : undefined;
  const names: Choice[] = [];
  try {
    const store = await localStore(storePath(given, io.env));
    for await (const { name } of store.images()) if (name !== undefined) names.push({ word: familiarReference(name) });
    await store.close();
  } catch {
    // A store that cannot be read has no names to offer; the command itself will say why.
  }
  return names;
}

/** A choice as the shell's script takes it: with its description where the shell shows one. */
function lineFor({ word, describe = '' }: Choice, shell: string): string {
  if (shell.includes('fish')) return describe === '' ? word : `${word}\t${describe}`;
  if (shell.includes('zsh')) return word.replaceAll(':', '\\:') + (describe === '' ? '' : `:${describe}`);
  return word;
}
