import { parseRaw } from '../../edit/json.ts';
import { collect } from '../../bytes/source.ts';
import { OciTarError } from '../../errors.ts';
import type { JsonObject } from '../../spec/json.ts';
import { locationOf } from './client.ts';
import type { RegistryRequest } from './client.ts';
import type { HttpAnswer } from './transport.ts';

/** A page may have so many bytes, and a list so many pages. */
const pageLimit = 16 * 1024 * 1024;
const mostPages = 10_000;

export type Ask = (request: Pick<RegistryRequest, 'method' | 'path' | 'headers' | 'expect'>) => Promise<HttpAnswer>;

export interface PageOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect?: readonly number[];
  /** What the first page has to call itself. */
  readonly mediaType?: string;
}

/**
 * The documents of a list that comes in pages (distribution-spec, `Link: <…>; rel="next"`). Nothing where the first page is a 404
 * that is expected, or of another type. REGISTRY for a registry that leads in a circle or to another host.
 */
export async function* pagesOf(ask: Ask, path: string, { mediaType = '', ...options }: PageOptions = {}): AsyncGenerator<JsonObject, void, void> {
  const seen = new Set<string>();
  let next: string | URL = path;
  for (;;) {
    const answer: HttpAnswer = await ask({ method: 'GET', path: next, ...options });
    const isOther = seen.size === 0 && !(answer.header('content-type') ?? '').startsWith(mediaType);
    if (answer.status >= 300 || isOther) {
      await answer.discard();
      return;
    }
    const bytes = await collect(answer.body, pageLimit, answer.url.pathname);
    yield parseRaw(bytes, { subject: answer.url.pathname, limits: { bytes: pageLimit, depth: 16 } });
    const link = nextLink(answer);
    if (link === undefined) return;
    if (link.origin !== answer.url.origin || seen.has(link.href) || seen.size >= mostPages) {
      throw new OciTarError('REGISTRY', `${answer.url.host} gives a list that does not end`, { subject: answer.url.host });
    }
    seen.add(link.href);
    next = link;
  }
}

/** The texts in a field of all pages. */
export async function* textsOf(ask: Ask, path: string, field: string): AsyncGenerator<string, void, void> {
  for await (const document of pagesOf(ask, path)) {
    const values = document[field];
    if (!Array.isArray(values)) continue;
    for (const value of values) if (typeof value === 'string') yield value;
  }
}

function nextLink(answer: HttpAnswer): URL | undefined {
  for (const header of answer.headers('link')) {
    const [, target] = /<([^>]{1,4096})>[^,]*;\s*rel="?next"?/i.exec(header) ?? [];
    if (target !== undefined) return locationOf(target, answer.url);
  }
  return undefined;
}
