import yargs from 'yargs';
import type { Argv } from 'yargs';
import type { GlobalValues, LoadedCommand, Work } from './command.ts';
import { commands } from './commands.ts';
import { UsageError } from './failure.ts';
import type { Io } from './io.ts';
import { globalOptions } from './options.ts';
import { registryOptions, speaksOfRegistries } from './registry-options.ts';
import { nearest } from './suggest.ts';

/** What a command line asks for: a command, or a text such as help. */
export type Line = { readonly kind: 'work'; readonly work: Work; readonly values: GlobalValues } | { readonly kind: 'text'; readonly text: string };

const completionFlag = '--get-yargs-completions';

/** Reads a command line. Throws UsageError where it makes no sense. */
export async function parseLine(args: readonly string[], io: Io): Promise<Line> {
  if (args.includes(completionFlag)) {
    const { completions } = await import('./completions.ts');
    return { kind: 'text', text: await completions(args.slice(args.indexOf(completionFlag) + 1), io) };
  }
  const words = args[0] === 'help' ? helpLine(args.slice(1)) : args.length === 0 ? ['--help'] : joined(args);
  const loaded = await loadNamed(words);
  let line: Line | undefined;
  const alone = aloneIn(words, loaded);
  const parser = parserOf(loaded, alone, io, speaksOfRegistries(words), (work, values) => (line = { kind: 'work', work, values }));
  // With a callback yargs neither prints nor exits.
  const { error, text, unused } = await new Promise<{ error: Error | undefined | null; text: string; unused: readonly (string | number)[] }>((resolve, reject) => {
    const parsed = parser.parse(words.slice(alone === undefined ? 0 : 1), {}, (error, values, text) => resolve({ error, text, unused: '_' in values ? values._ : [] }));
    if (parsed instanceof Promise) parsed.catch(reject);
  });
  if (error) throw usageError(error, loaded);
  if (text !== '') return { kind: 'text', text: `${text}\n` };
  if (line !== undefined) return line;
  throw unused[0] === undefined ? new UsageError('no command was given', 'See oci-tar help.') : unknownCommand(String(unused[0]));
}

/** Loads the commands that a line may be about, which is mostly one. */
async function loadNamed(words: readonly string[]): Promise<ReadonlyMap<string, LoadedCommand>> {
  const loaded = new Map<string, LoadedCommand>();
  for (const [name, entry] of Object.entries(commands)) if (words.includes(name)) loaded.set(name, (await entry.load()).command);
  return loaded;
}

/**
 * The command that a line begins with, when it is no plea for help. It is parsed as yargs' default command: of every other
 * one yargs lays out the whole help before it runs, which takes as long as a tiny export.
 */
function aloneIn(words: readonly string[], loaded: ReadonlyMap<string, LoadedCommand>): string | undefined {
  const [name = '', ...others] = words;
  return loaded.has(name) && !others.some((word) => word === '--help' || word === '-h') ? name : undefined;
}

/** The parser with the whole command table; flags are known only of the commands that are loaded. */
function parserOf(loaded: ReadonlyMap<string, LoadedCommand>, alone: string | undefined, io: Io, registries: boolean, chosen: (work: Work, values: GlobalValues) => void): Argv {
  const parser = yargs([])
    .scriptName('oci-tar')
    .usage('oci-tar <command> [flags]\n\nOCI images as files: export, import, copy, verify and create them, without a daemon.')
    .parserConfiguration({
      'camel-case-expansion': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'boolean-negation': false,
      'greedy-arrays': false,
    })
    .locale('en')
    .detectLocale(false)
    .options(registries ? { ...globalOptions, ...registryOptions } : globalOptions)
    .strictOptions()
    .exitProcess(false)
    .showHelpOnFail(false)
    .wrap(Math.min(io.stdout.columns ?? 100, 110))
    .help('help', 'Show help')
    .alias('help', 'h')
    .version('version', 'Show the version', io.version)
    .alias('version', 'v')
    .group(['help', 'version'], 'Everywhere:')
    .epilogue('oci-tar help <command> explains a command, with examples. Images are kept in a local store: see --store.');
  for (const [name, entry] of Object.entries(commands)) {
    const command = loaded.get(name);
    if (command !== undefined && (alone === undefined || alone === name)) command.attach(parser, name, entry.describe, chosen, alone === name);
    // Not beside the one that is known to be meant: an image may be called `create`, or `index` be told to create one.
    else if (entry.sameAs === undefined && alone === undefined) parser.command(name, entry.describe);
  }
  return parser;
}

/** `--layer -` as `--layer=-`: yargs takes a dash for the begin of the next flag where a flag may be repeated. */
function joined(args: readonly string[]): readonly string[] {
  return args.flatMap((word, at) => (word === '--layer' && args[at + 1] === '-' ? ['--layer=-'] : word === '-' && args[at - 1] === '--layer' ? [] : [word]));
}

function helpLine(words: readonly string[]): readonly string[] {
  const unknown = words.find((word) => !word.startsWith('-') && !(word in commands));
  if (unknown !== undefined) throw unknownCommand(unknown);
  return [...words, '--help'];
}

/** What yargs found wrong, in the words of this command line, with the name that was probably meant. */
function usageError(error: Error, loaded: ReadonlyMap<string, LoadedCommand>): Error {
  const [name, command] = [...loaded][0] ?? [];
  const hint = command === undefined ? 'See oci-tar help.' : `Usage: oci-tar ${name} ${command.usage}`;
  if (error.name !== 'YError') return error;
  const [, unknown] = /^Unknown arguments?: (.*)$/.exec(error.message) ?? [];
  if (unknown === undefined) return new UsageError(plain(error.message), hint);
  const [first = ''] = unknown.split(', ');
  const known = [...Object.keys(command?.flags ?? {}), ...Object.keys(globalOptions), ...Object.keys(registryOptions), 'help', 'version'];
  const near = nearest(first, known);
  return new UsageError(`unknown flag: ${first.length === 1 ? '-' : '--'}${first}`, near === undefined ? hint : `Did you mean --${near}?`);
}

function unknownCommand(name: string): UsageError {
  const near = nearest(name, Object.keys(commands));
  return new UsageError(`there is no command ${name}`, near === undefined ? 'See oci-tar help.' : `Did you mean oci-tar ${near}?`);
}

/** yargs' sentences, which span lines, made readable. */
function plain(message: string): string {
  const [, option, given, choices] = /Argument: (\S+), Given: (.*), Choices: (.*)/.exec(message) ?? [];
  if (option !== undefined) return `--${option} cannot be ${given}, only one of ${choices}`;
  const [, one, other] = /^Arguments (\S+) and (\S+) are mutually exclusive/.exec(message) ?? [];
  if (one !== undefined) return `--${one} and --${other} exclude each other`;
  if (message.startsWith('Not enough arguments following')) return `--${message.replace(/^.*: /, '')} needs a value`;
  const text = message.replace(/\s+/g, ' ').trim();
  return text.charAt(0).toLowerCase() + text.slice(1);
}
