import { UsageError } from './failure.ts';

/** `KEY=VALUE` words as a record; of equal keys the last counts. */
export function pairs(words: readonly string[], flag: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) throw new UsageError(`${flag} ${word} has no value`, `Write ${flag} NAME=VALUE.`);
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

/** The words of a command: a JSON array, or the words as they come. */
export function commandWords(words: readonly string[], flag: string): readonly string[] {
  const [only] = words;
  if (words.length !== 1 || only === undefined || !only.trimStart().startsWith('[')) return words;
  let parsed: unknown;
  try {
    parsed = JSON.parse(only);
  } catch {
    throw new UsageError(`${flag} ${only} is not a JSON array`, `Write ${flag} '["word", "word"]'.`);
  }
  if (Array.isArray(parsed) && parsed.every((word) => typeof word === 'string')) return parsed;
  throw new UsageError(`${flag} takes an array of texts`, `Write ${flag} '["word", "word"]'.`);
}

/** A port as a config lists it: `80` is `80/tcp`. */
export function portOf(word: string): string {
  const [, port = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(word) ?? [];
  if (port === '' || Number(port) < 1 || Number(port) > 65_535) throw new UsageError(`--expose ${word} is not a port`, 'Write 80, 80/tcp or 53/udp.');
  return `${Number(port)}/${protocol}`;
}

/** The latest moment that an RFC 3339 date can express, in seconds since 1970. */
const latest = 253_402_300_799;

/** A moment in whole seconds since 1970: as given, else SOURCE_DATE_EPOCH (reproducible-builds.org), else 0. */
export function createdSeconds(given: string | undefined, env: Readonly<Record<string, string | undefined>>): number {
  const text = given ?? env['SOURCE_DATE_EPOCH'] ?? '';
  const name = given === undefined ? 'SOURCE_DATE_EPOCH' : '--created';
  if (text === '' && given === undefined) return 0;
  const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
  const seconds = /^\d+$/.test(text) ? Number(text) : rfc3339.test(text) ? Math.floor(Date.parse(text.replace(' ', 'T')) / 1000) : Number.NaN;
  if (seconds >= 0 && seconds <= latest) return seconds;
  throw new UsageError(`${name} ${text} is no moment since 1970`, 'Write 2026-11-22T12:00:00Z or seconds since 1970.');
}
