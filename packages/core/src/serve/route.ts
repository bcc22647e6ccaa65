import { isDigest } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { Refusal } from './refusal.ts';

/** What a request is about (distribution-spec, "Endpoints"). */
export type Route =
  | { readonly kind: 'root' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'metrics' }
  | UploadRoute
  | ReadRoute;

export interface UploadRoute {
  readonly kind: 'uploads';
  readonly name: string;
  readonly id?: string;
}

/** What can be read of a repository. */
export type ReadRoute =
  | { readonly kind: 'tags'; readonly name: string }
  | { readonly kind: 'manifests'; readonly name: string; readonly reference: ManifestReference }
  | { readonly kind: 'blobs'; readonly name: string; readonly digest: Digest }
  | { readonly kind: 'referrers'; readonly name: string; readonly digest: Digest };

export type ManifestReference = Digest | { readonly tag: string };

export interface Target {
  readonly route: Route;
  /** Of a parameter that is given several times the first counts. */
  readonly query: ReadonlyMap<string, string>;
}

/** Longer than any name, tag and digest together with their query. */
const longestTarget = 4096;
const mostParameters = 32;

/** The distribution-spec's grammar of `<name>`; 255 characters, as docker's registry has it. */
const nameGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const longestName = 255;
const tagGrammar = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const idGrammar = /^[0-9a-f]{32}$/;

export function isRepositoryName(name: string): boolean {
  return name.length <= longestName && nameGrammar.test(name);
}

export function isTag(tag: string): boolean {
  return tagGrammar.test(tag);
}

/**
 * Reads a request's target. Every part is unescaped once and must then fit its grammar, so that nothing that is left could be
 * taken for a path. Throws `Refusal`: 404 for what is no endpoint, 400 for a name, digest or escape that is none, 414.
 */
export function parseTarget(target: string): Target {
  if (target.length > longestTarget) throw new Refusal(414, 'NAME_INVALID', `the address is longer than ${longestTarget} characters`);
  // A proxy's form of a request (RFC 9112, 3.2.2): its host is of no interest.
  const local = target.replace(/^https?:\/\/[^/?#]*/i, '');
  const [path = '', ...rest] = local.split('?');
  return { route: routeOf(path), query: queryOf(rest.join('?')) };
}

function routeOf(path: string): Route {
  if (path === '/metrics') return { kind: 'metrics' };
  if (path === '/v2' || path === '/v2/') return { kind: 'root' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (!path.startsWith('/v2/')) throw unknown();
  const parts = path.slice('/v2/'.length).split('/').map(unescaped);
  const [third, second, last] = [parts.at(-3), parts.at(-2), parts.at(-1) ?? ''];
  // From the end, since the parts of a name may have these words too.
  if (third === 'blobs' && second === 'uploads') return uploadRoute(parts.slice(0, -3), last);
  if (second === 'blobs' && last === 'uploads') return uploadRoute(parts.slice(0, -2), '');
  if (second === 'tags' && last === 'list') return { kind: 'tags', name: nameOf(parts.slice(0, -2)) };
  if (second === 'manifests') return { kind: 'manifests', name: nameOf(parts.slice(0, -2)), reference: referenceOf(last) };
  if (second === 'blobs') return { kind: 'blobs', name: nameOf(parts.slice(0, -2)), digest: digestOf(last) };
  if (second === 'referrers') return { kind: 'referrers', name: nameOf(parts.slice(0, -2)), digest: digestOf(last) };
  throw unknown();
}

function uploadRoute(parts: readonly string[], id: string): UploadRoute {
  const name = nameOf(parts);
  if (id === '') return { kind: 'uploads', name };
  if (!idGrammar.test(id)) throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload');
  return { kind: 'uploads', name, id };
}

function nameOf(parts: readonly string[]): string {
  const name = parts.join('/');
  if (isRepositoryName(name)) return name;
  throw new Refusal(400, 'NAME_INVALID', 'this is not the name of a repository');
}

function referenceOf(text: string): ManifestReference {
  if (text.includes(':')) return digestOf(text);
  if (isTag(text)) return { tag: text };
  throw new Refusal(404, 'MANIFEST_UNKNOWN', 'this is neither a tag nor a digest');
}

/** INVALID_DIGEST in the form of the distribution-spec. */
export function digestOf(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Refusal(400, 'DIGEST_INVALID', 'this is not a digest');
}

function queryOf(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  if (text === '') return query;
  const pairs = text.split('&');
  if (pairs.length > mostParameters) throw new Refusal(400, 'UNSUPPORTED', `there are more than ${mostParameters} parameters`);
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = unescaped(at < 0 ? pair : pair.slice(0, at));
    if (!query.has(name)) query.set(name, at < 0 ? '' : unescaped(pair.slice(at + 1)));
  }
  return query;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(400, 'NAME_INVALID', 'the address is not escaped as it should be');
  }
}

function unknown(): Refusal {
  return new Refusal(404, 'UNSUPPORTED', 'there is nothing at this address');
}
