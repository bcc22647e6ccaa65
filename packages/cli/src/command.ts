import type { Argv, InferredOptionTypes, Options } from 'yargs';
import type { Context } from './context.ts';
import { globalOptions } from './options.ts';

type OptionTable = Readonly<Record<string, Options>>;

/** One command, as its file describes it. */
export interface CommandDefinition<O extends OptionTable> {
  /** What follows the name, in yargs' own notation: `<archive> [new-name]`. */
  readonly spec: string;
  /** The same for people, where that differs. */
  readonly usage?: string;
  /** What each word of `spec` means. */
  readonly words: Readonly<Record<string, string>>;
  readonly options: O;
  /** A command line and what it does; the reader is new to all of this. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  readonly remarks?: string;
  /** Resolves to the exit status, 0 by default. */
  run(words: readonly string[], options: InferredOptionTypes<O>, context: Context): Promise<number | void>;
}

export type Work = (context: Context) => Promise<number | void>;

/** The options of every command. */
export type GlobalValues = InferredOptionTypes<typeof globalOptions>;

/** A command whose file is loaded, ready for yargs. */
export interface LoadedCommand {
  readonly usage: string;
  readonly optionNames: readonly string[];
  /** `chosen` is called, while the line is parsed, when it is this command that was asked for. */
  attach(parser: Argv, name: string, describe: string, chosen: (work: Work, values: GlobalValues) => void): void;
}

export function defineCommand<const O extends OptionTable>(definition: CommandDefinition<O>): LoadedCommand {
  const { spec, options, examples, remarks } = definition;
  const usage = definition.usage ?? spec;
  const words = [...spec.matchAll(/[<[]([\w-]+)(?:\.\.)?[>\]]/g)].map((match) => match[1] ?? '');
  return {
    usage,
    optionNames: Object.keys(options),
    attach(parser, name, describe, chosen) {
      const builder = (own: Argv) => {
        own.usage(`oci-tar ${name} ${usage}\n\n${describe}`);
        for (const word of words) own.positional(word, { type: 'string', describe: definition.words[word] ?? '' });
        for (const [line, does] of examples) own.example(`$ ${line}`, `\n    ${does}`);
        if (remarks !== undefined) own.epilogue(remarks);
        return own.options(globalOptions).options(options);
      };
      parser.command(`${name} ${spec}`.trim(), describe, builder, (values) => {
        const given: Readonly<Record<string, unknown>> = values;
        const texts = words.flatMap((word) => given[word] ?? []).map(String);
        if (!fits(given, options) || !fits(given, globalOptions)) throw new Error(`the flags of ${name} were not read as they are declared`);
        chosen((context) => definition.run(texts, given, context), given);
      });
    },
  };
}

/** Whether what yargs read is what the table declares; yargs' own types cannot say so of a table that is not known yet. */
function fits<O extends OptionTable>(values: Readonly<Record<string, unknown>>, options: O): values is InferredOptionTypes<O> {
  return Object.entries(options).every(([name, { type, array }]) => {
    const value = values[name];
    if (value === undefined) return true;
    return array === true ? Array.isArray(value) && value.every((one) => typeof one === type) : typeof value === type;
  });
}
