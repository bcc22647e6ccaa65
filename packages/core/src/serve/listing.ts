import type { Descriptor } from '../spec/descriptor.ts';
import { defaultLimits } from '../spec/limits.ts';
import { mediaTypes } from '../spec/media-type.ts';
import type { Digest } from '../spec/digest.ts';
import type { ReadDocument } from './documents.ts';
import { jsonResponse } from './message.ts';
import type { ServeResponse } from './message.ts';
import { Refusal } from './refusal.ts';
import { byUnits } from './view.ts';

interface Page {
  readonly items: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
}

/** The tags of a repository, sorted by their characters (distribution-spec, "Listing Tags"). */
export function tagsResponse(name: string, tags: Iterable<string>, query: ReadonlyMap<string, string>, most: number): ServeResponse {
  const { items, headers } = pageOf([...tags].sort(byUnits), `/v2/${name}/tags/list`, query, most);
  return jsonResponse(200, { name, tags: items }, headers);
}

/** The names of all repositories, sorted, as docker's registry lists them. */
export function catalogResponse(names: readonly string[], query: ReadonlyMap<string, string>, most: number): ServeResponse {
  const { items, headers } = pageOf(names, '/v2/_catalog', query, most);
  return jsonResponse(200, { repositories: items }, headers);
}

/** Up to `n` entries after `last`, and where the next ones are to be had (RFC 8288). Throws `Refusal` for an `n` that is no number. */
function pageOf(sorted: readonly string[], path: string, query: ReadonlyMap<string, string>, most: number): Page {
  const last = query.get('last');
  const text = query.get('n');
  if (text !== undefined && !/^\d{1,9}$/.test(text)) throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', 'n is not a number of entries');
  const count = Math.min(text === undefined ? most : Number(text), most);
  const from = last === undefined ? 0 : sorted.findIndex((item) => item > last);
  const rest = from < 0 ? [] : sorted.slice(from);
  const items = rest.slice(0, count);
  const end = items.at(-1);
  const next = end === undefined || rest.length <= count ? {} : { link: `<${path}?n=${count}&last=${encodeURIComponent(end)}>; rel="next"` };
  return { items, headers: next };
}

/** A list of referrers is at most as long as a manifest may be. */
const longestList = defaultLimits.bytes - 1024;

/**
 * What refers to a digest, as an index sorted by digest (distribution-spec, "Listing Referrers"); of one type, where that is asked for.
 * What does not fit into 4 MiB is on a next page.
 */
export function referrersResponse(name: string, digest: Digest, documents: ReadonlyMap<Digest, ReadDocument>, query: ReadonlyMap<string, string>): ServeResponse {
  const type = query.get('artifactType') || undefined;
  const last = query.get('last') ?? '';
  const all = [...documents.values()].filter(({ subject, referrer }) => subject?.digest === digest && (type === undefined || referrer.artifactType === type) && referrer.digest > last);
  const manifests: Descriptor[] = [];
  let length = 0;
  let link = {};
  for (const { referrer } of all.sort((a, b) => byUnits(a.referrer.digest, b.referrer.digest))) {
    length += JSON.stringify(referrer).length * 3;
    const end = manifests.at(-1);
    if (length > longestList && end !== undefined) {
      const filter = type === undefined ? '' : `&artifactType=${encodeURIComponent(type)}`;
      link = { link: `</v2/${name}/referrers/${digest}?last=${encodeURIComponent(end.digest)}${filter}>; rel="next"` };
      break;
    }
    manifests.push(referrer);
  }
  const filtered = type === undefined ? {} : { 'oci-filters-applied': 'artifactType' };
  return jsonResponse(200, { schemaVersion: 2, mediaType: mediaTypes.index, manifests }, { 'content-type': mediaTypes.index, ...filtered, ...link });
}
