import { familiarReference, localStore } from '@oci-tar/core';
import { describeFlags, flagValues } from './command.ts';
import type { FlagValues } from './command.ts';
import { commands } from './commands.ts';
import type { Io } from './io.ts';
import { globalOptions } from './options.ts';
import { registryOptions } from './registry-options.ts';
import { storePath } from './store-path.ts';

/** Arguments that are images, and commands that take images under other names; those of the local store are offered. */
const imageWords: readonly string[] = ['image', 'source', 'a'];
const takeImages: readonly string[] = ['index', 'verify', 'serve'];

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
  const name = before.find((word) => Object.hasOwn(commands, word));
  const command = name === undefined || name === 'help' ? undefined : (await commands[name]?.load())?.command;
  const values: FlagValues = { ...flagValues({ ...globalOptions, ...registryOptions }), ...command?.values };
  const follows = Object.hasOwn(values, last) ? values[last] : undefined;
  if (follows !== undefined) return follows.map((word) => ({ word }));
  if (current.startsWith('-')) {
    return Object.entries({ ...command?.flags, ...describeFlags({ ...globalOptions, ...registryOptions }), help: 'Show help' }).map(([flag, describe]) => ({ word: `--${flag}`, describe }));
  }
  if (name === undefined) {
    const shown = Object.entries(commands).filter(([, { sameAs }]) => sameAs === undefined);
    return shown.map(([word, { describe }]) => ({ word, describe }));
  }
  if (name === 'completion') return ['bash', 'zsh', 'fish'].map((word) => ({ word }));
  return takeImages.includes(name) || command?.words.some((word) => imageWords.includes(word)) === true ? imageNames(before, io) : [];
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
