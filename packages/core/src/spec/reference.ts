import { OciTarError } from '../errors.ts';
import { isComputable, isDigest, parseDigest } from './digest.ts';
import type { Digest } from './digest.ts';

/** The name of an image, complete: `docker.io/library/hello:1` is `{ domain: 'docker.io', path: 'library/hello', tag: '1' }`. */
export interface Reference {
  /** Host and port of the registry. */
  readonly domain: string;
  /** The repository on it. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultDomain = 'docker.io';
const legacyDomain = 'index.docker.io';
const officialPrefix = 'library/';
const defaultTag = 'latest';

const maxPart = 255;
/** The longest domain, path, tag and digest together stay below it. */
const maxLength = 1024;

const domainGrammar = /^(?:[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*(?:\.[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const pathGrammar = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagGrammar = /^\w[\w.-]{0,127}$/;
const identifier = /^[a-f0-9]{64}$/;

/**
 * Parses a name as docker and containerd do: without a domain it is on docker.io, and there without a namespace in `library`.
 * The grammar is that of distribution/reference; domain and path have at most 255 characters each, a tag 128.
 * INVALID_REFERENCE with a hint where one is known.
 */
export function parseReference(text: string): Reference {
  if (text === '') refuse(text, 'it is empty');
  if (text.length > maxLength) refuse(text, `it is longer than ${maxLength} characters`);
  if (identifier.test(text)) refuse(text, 'it is a bare identifier', `Write the name it belongs to: name@sha256:${text}.`);
  // docker would read it as the tag of a repository `sha256`, which nobody means.
  if (isDigest(text) && isComputable(text)) refuse(text, 'it is a bare digest', `Write the name it belongs to: name@${text}.`);
  const scheme = /^[a-z]+:\/\//.exec(text);
  if (scheme !== null) refuse(text, 'it is an address', `Leave out ${scheme[0]}.`);

  const [name, digestText] = cut(text, '@');
  const [domain, remainder] = splitDomain(name);
  const [path, tag] = cut(remainder, ':');

  if (!domainGrammar.test(domain) || domain.length > maxPart) refuse(text, `${JSON.stringify(domain)} is not the name of a registry`);
  if (path !== path.toLowerCase()) refuse(text, 'the repository has upper-case letters', 'Write the repository in lower case.');
  if (path.length > maxPart) refuse(text, `the repository is longer than ${maxPart} characters`);
  if (!pathGrammar.test(path)) refuse(text, `${JSON.stringify(path)} is not a repository`, pathHint(path));
  if (tag !== undefined && !tagGrammar.test(tag)) {
    refuse(text, `${JSON.stringify(tag)} is not a tag`, 'A tag has 1 to 128 letters, digits, "_", "." and "-", and starts with none of the last two.');
  }
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digestText === undefined ? {} : { digest: digestOf(text, digestText) }),
  };
}

/** The full form: `docker.io/library/hello:1`, with tag and digest where there are any. */
export function formatReference(reference: Reference): string {
  return repositoryOf(reference) + suffixOf(reference);
}

/** Domain and path, without tag and digest. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The short form that people write: `hello:1`. It always parses back to the same reference. */
export function familiarReference(reference: Reference | string): string {
  const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
  const full = formatReference(parsed);
  if (parsed.domain !== defaultDomain) return full;
  const official = parsed.path.startsWith(officialPrefix) && !parsed.path.includes('/', officialPrefix.length);
  const short = parsed.path.slice(official ? officialPrefix.length : 0) + suffixOf(parsed);
  // A first part such as `localhost` or `a.b` would be taken for a registry, and 64 hex digits for an identifier, alone or as the tag of `sha256`.
  return isReference(short) && formatReference(parseReference(short)) === full ? short : full;
}

/** The reference with the tag `latest` if it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: defaultTag } : reference;
}

/** The full name that a text stands for: `hello` is `docker.io/library/hello:latest`. INVALID_REFERENCE. */
export function normalizeName(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

export function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

function suffixOf(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}

function splitDomain(name: string): readonly [string, string] {
  const [first, rest] = cut(name, '/');
  if (rest === undefined) return [defaultDomain, officialPrefix + name];
  // Upper case cannot be part of a repository, so it must be a host.
  const isDomain = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  const domain = !isDomain || first === legacyDomain ? defaultDomain : first;
  const path = isDomain ? rest : name;
  return [domain, domain === defaultDomain && !path.includes('/') ? officialPrefix + path : path];
}

function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function digestOf(text: string, digest: string): Digest {
  try {
    return parseDigest(digest);
  } catch (cause) {
    refuse(text, `what follows "@" is not a digest`, 'A digest is written sha256:<64 lower-case hex digits>.', cause);
  }
}

function pathHint(path: string): string | undefined {
  if (/\s/.test(path)) return 'Remove the space.';
  if (path.endsWith('/') || path.includes('//')) return 'Each part between slashes needs a name.';
  return undefined;
}

function refuse(text: string, problem: string, hint?: string, cause?: unknown): never {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  throw new OciTarError('INVALID_REFERENCE', `${JSON.stringify(shown)} is not a reference: ${problem}`, {
    subject: shown,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
