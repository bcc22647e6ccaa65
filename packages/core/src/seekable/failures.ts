import { OciTarError } from '../errors.ts';
import type { ErrorDetails } from '../errors.ts';

/** INVALID_TOC, about an entry where `name` is given. */
export function invalidToc(problem: string, name?: string, details: ErrorDetails = {}): OciTarError {
  const about = name === undefined ? 'the TOC' : `the TOC's entry ${shown(name)}`;
  return new OciTarError('INVALID_TOC', `${about} ${problem}`, { ...(name === undefined ? {} : { subject: name }), ...details });
}

/** A name for people, of a bearable length. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}
