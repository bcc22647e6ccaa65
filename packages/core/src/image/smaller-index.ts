import { digestBytes } from '../bytes/digest.ts';
import { distributionSourcePrefix } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { parseJson, stringifyJson } from '../spec/json.ts';
import type { JsonObject, JsonValue } from '../spec/json.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { isIndexType } from '../spec/media-type.ts';
import { SourceContent } from './content.ts';
import { withBlobs } from './overlay.ts';
import type { Content, Plan, RewrittenImage } from './plan.ts';
import { readBlob } from './read.ts';
import type { ImageStore } from './store.ts';
import type { Walked } from './walk.ts';

/**
 * The same plan with indexes that list only what moves, nested ones too. What else an index says stays, in its order, whether
 * it is known here or not; an index of which everything moves stays byte for byte. Equal indexes give equal ones.
 */
export async function withSmallerIndexes(plan: Plan, roots: readonly Walked[], source: ImageStore, limits: JsonLimits = defaultLimits): Promise<Plan> {
  const smaller = new Map<Digest, Descriptor>();
  /** Indexes that stay as they are: each is entered once, however often it is listed. */
  const whole = new Set<Digest>();
  const documents = new Map<Digest, Uint8Array>();
  const rewrite = async (walked: Walked): Promise<Descriptor> => {
    const { descriptor, parts } = walked;
    if (!isIndexType(descriptor.mediaType) || whole.has(descriptor.digest)) return descriptor;
    const known = smaller.get(descriptor.digest);
    if (known !== undefined) return moved(descriptor, known);
    const children: (Descriptor | undefined)[] = [];
    for (const part of parts) children.push(part.state === 'complete' ? await rewrite(part) : undefined);
    if (children.every((child, position) => child?.digest === parts[position]?.descriptor.digest)) {
      whole.add(descriptor.digest);
      return descriptor;
    }
    const document = parseJson(await readBlob(source, descriptor, limits.bytes), { limits, subject: descriptor.digest });
    const bytes = stringifyJson(reduced(document, children));
    const result = moved(descriptor, { digest: await digestBytes(bytes), size: bytes.byteLength });
    smaller.set(descriptor.digest, result);
    documents.set(result.digest, bytes);
    return result;
  };
  const images: Plan['images'][number][] = [];
  const rewritten: RewrittenImage[] = [];
  for (const [position, image] of plan.images.entries()) {
    const root = roots[position];
    const to = root === undefined ? image.descriptor : await rewrite(root);
    const name = image.name === undefined ? {} : { name: image.name };
    images.push({ ...name, descriptor: to });
    if (to.digest !== image.descriptor.digest) rewritten.push({ ...name, from: image.descriptor, to });
  }
  if (rewritten.length === 0) return plan;
  const origins = [withBlobs(source, documents)];
  const contents = new Map<Digest, Content>();
  for (const content of plan.contents.values()) {
    const to = smaller.get(content.descriptor.digest);
    const moving = to === undefined ? content : new SourceContent(origins, to, content.role, content.height);
    if (!contents.has(moving.descriptor.digest)) contents.set(moving.descriptor.digest, moving);
  }
  const size = [...contents.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  return { ...plan, images, contents, size, rewritten };
}

/** The descriptor with another content. What was said of the old bytes alone is left out. */
function moved(descriptor: Descriptor, { digest, size }: Pick<Descriptor, 'digest' | 'size'>): Descriptor {
  const { data: _data, annotations, ...rest } = descriptor;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !key.startsWith(distributionSourcePrefix));
  return { ...rest, ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }), digest, size };
}

function reduced(document: JsonValue, children: readonly (Descriptor | undefined)[]): JsonObject {
  if (!isObject(document) || !Array.isArray(document['manifests'])) throw new TypeError('an index that was parsed has manifests');
  const listed: readonly JsonValue[] = document['manifests'];
  return { ...document, manifests: listed.flatMap((entry, position) => replaced(entry, children[position]) ?? []) };
}

/** An entry as it is written, or with the digest and size of the smaller index that it now stands for. */
function replaced(entry: JsonValue, child: Descriptor | undefined): JsonValue | undefined {
  if (child === undefined || !isObject(entry)) return undefined;
  if (entry['digest'] === child.digest) return entry;
  const { data: _data, ...rest } = entry;
  return { ...rest, digest: child.digest, size: child.size };
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
