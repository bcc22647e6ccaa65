import type { Argv, InferredOptionTypes, Options } from 'yargs';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';
import { globalOptions } from './options.ts';
import { registryOptions } from './registry-options.ts';
import type { RegistryValues } from './registry-options.ts';
import { table } from './style.ts';

type OptionTable = Readonly<Record<string, Options>>;

/** One command, as its file describes it. */
export interface CommandDefinition<O extends OptionTable> {
  /** What follows the name: `<needed>`, `[optional]`, the last one with `..` where there can be several. */
  readonly spec: string;
  /** The same for people, where that differs. */
  readonly usage?: string;
  /** What each of these means. */
  readonly words: Readonly<Record<string, string>>;
  readonly options: O;
  /** A command line and what it does; the reader is new to all of this. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  readonly remarks?: string;
  /** Resolves to the exit status, 0 by default. */
  run(words: readonly string[], options: InferredOptionTypes<O>, context: Context): Promise<number | void>;
}

/** Flags as they are written (`--output`, `-o`) that a value follows, with what it can be; nothing where that is not known. */
export type FlagValues = Readonly<Record<string, readonly string[]>>;

export type Work = (context: Context) => Promise<number | void>;

/** The options of every command. */
export type GlobalValues = InferredOptionTypes<typeof globalOptions> & RegistryValues;

/** A command whose file is loaded, ready for yargs. */
export interface LoadedCommand {
  readonly usage: string;
  /** Its own flags, without dashes, and what they are for. */
  readonly flags: Readonly<Record<string, string>>;
  /** Its own flags that a value follows. */
  readonly values: FlagValues;
  /** Names of its arguments. */
  readonly words: readonly string[];
  /**
   * `chosen` is called, while the line is parsed, when it is this command that was asked for; `alone` when the line is known
   * to be its and no longer has its name.
   */
  attach(parser: Argv, name: string, describe: string, chosen: (work: Work, values: GlobalValues) => void, alone?: boolean): void;
}

export function defineCommand<const O extends OptionTable>(definition: CommandDefinition<O>): LoadedCommand {
  const { spec, options, examples, remarks } = definition;
  const usage = definition.usage ?? spec;
  const wordRows = Object.entries(definition.words).map(([word, text]) => [`  ${word}`, text]);
  const wordTexts = wordRows.length === 0 ? [] : [`Arguments:\n${table(wordRows).trimEnd()}`];
  const exampleText = ['Examples:', ...examples.map(([line, does]) => `  $ ${line}\n      ${does}`)].join('\n');
  return {
    usage,
    flags: describeFlags(options),
    values: flagValues(options),
    words: Object.keys(definition.words),
    attach(parser, name, describe, chosen, alone = false) {
      const builder = (own: Argv) => {
        own.usage(`oci-tar ${name} ${usage}`.trim() + `\n\n${describe}.`);
        // yargs' own lists would squeeze all this into columns and tear the lines that people want to copy.
        own.epilogue([...wordTexts, exampleText, ...(remarks === undefined ? [] : [remarks])].join('\n\n'));
        return own.options(options);
      };
      // The words are taken from what yargs leaves over: as positionals of its own it would lose a lone `-`.
      parser.command(alone ? '$0' : name, describe, builder, (values) => {
        const given: Readonly<Record<string, unknown>> = values;
        const texts = values._.slice(alone ? 0 : 1).map(String);
        checkCount(texts, spec, `Usage: oci-tar ${name} ${usage}`);
        if (!fits(given, options) || !fits(given, globalOptions) || !fits(given, registryOptions)) throw new Error(`the flags of ${name} were not read as they are declared`);
        chosen((context) => definition.run(texts, given, context), given);
      });
    },
  };
}

/** What each option is for. */
export function describeFlags(options: OptionTable): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(options).map(([name, { describe }]) => [name, describe ?? '']));
}

/** The options that are no switches. */
export function flagValues(options: OptionTable): FlagValues {
  const valued = Object.entries(options).filter(([, { type }]) => type !== 'boolean');
  return Object.fromEntries(
    valued.flatMap(([name, { alias, choices }]) => {
      const written = [`--${name}`, ...(alias === undefined ? [] : [alias].flat().map((other) => `-${other.length > 1 ? '-' : ''}${other}`))];
      return written.map((flag) => [flag, (choices ?? []).map(String)] as const);
    }),
  );
}

/** As many words as the spec has room for: `<needed>`, `[optional]`, `<many..>`. */
function checkCount(words: readonly string[], spec: string, hint: string): void {
  const least = spec.match(/</g)?.length ?? 0;
  const most = spec.includes('..') ? Infinity : least + (spec.match(/\[/g)?.length ?? 0);
  if (words.length < least) throw new UsageError('an argument is missing', hint);
  if (words.length > most) throw new UsageError(`unexpected argument: ${words[most] ?? ''}`, hint);
}

/** Whether what yargs read is what the table declares; yargs' own types cannot say so of a table that is not known yet. */
function fits<O extends OptionTable>(values: Readonly<Record<string, unknown>>, options: O): values is InferredOptionTypes<O> {
  return Object.entries(options).every(([name, { type, array }]) => {
    const value = values[name];
    if (value === undefined) return true;
    return array === true ? Array.isArray(value) && value.every((one) => typeof one === type) : typeof value === type;
  });
}
