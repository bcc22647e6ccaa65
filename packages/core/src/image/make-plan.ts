import type { ByteStream } from '../bytes/types.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import { parseConfig, platformOf } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { Document } from '../spec/document.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { isConfigType, isForeignType } from '../spec/media-type.ts';
import { matchPlatform } from '../spec/platform-match.ts';
import { formatPlatform } from '../spec/platform.ts';
import { nodesOf, roleOf } from './children.ts';
import type { Node } from './children.ts';
import type { Content, ContentRole, Gap, Plan } from './plan.ts';
import { chosenChildren } from './platform-choice.ts';
import type { PlatformChoice } from './platform-choice.ts';
import { openBlob, readBlob, readDocument } from './read.ts';
import type { ImageStore, NamedImage } from './store.ts';

export interface PlanOptions {
  /**
   * Which children of an index to take. By default everything that the source has of the image, and at least one whole
   * child; `all`: every child, NOT_FOUND when one is incomplete; a list: the children for these platforms.
   */
  readonly platforms?: PlatformChoice;
  /** For manifests, indexes and configs. */
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

/** Indexes inside indexes go no deeper than this. */
const deepestIndex = 8;

/**
 * Lists everything that these images are made of, by reading their manifests and indexes and nothing else.
 * NOT_FOUND when an image is incomplete, INVALID_MANIFEST when a manifest makes no sense.
 */
export async function makePlan(source: ImageStore, images: readonly NamedImage[], options: PlanOptions = {}): Promise<Plan> {
  const planner = new Planner(source, options);
  for (const image of images) await planner.image(image);
  return planner.plan(images);
}

/** The root of one image's graph in a plan. */
export function contentOf(plan: Plan, descriptor: Descriptor): Content {
  const content = plan.contents.get(descriptor.digest);
  if (content !== undefined) return content;
  throw new OciTarError('NOT_FOUND', `${descriptor.digest} is not in the plan`, { subject: descriptor.digest });
}

/** The outcome for one node: its height when it is complete, and else what it lacks. */
type Outcome = { readonly height: number } | { readonly lacks: readonly Gap[] };

class Planner {
  readonly #source: ImageStore;
  /** One array for all contents. */
  readonly #origins: readonly ImageStore[];
  readonly #options: PlanOptions;
  readonly #limits: JsonLimits;
  readonly #contents = new Map<Digest, Content>();
  readonly #gaps = new Map<string, Gap>();
  readonly #outcomes = new Map<Digest, Outcome>();
  #size = 0;

  constructor(source: ImageStore, options: PlanOptions) {
    this.#source = source;
    this.#origins = [source];
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
  }

  plan(images: readonly NamedImage[]): Plan {
    return { images, contents: this.#contents, gaps: [...this.#gaps.values()], size: this.#size };
  }

  async image({ name, descriptor }: NamedImage): Promise<void> {
    const outcome = await this.#visit({ descriptor, role: roleOf(descriptor) }, undefined, 0);
    if ('height' in outcome) return;
    const lacks = outcome.lacks.map((gap) => `${gap.descriptor.mediaType} ${gap.descriptor.digest}`);
    const shown = lacks.slice(0, 5).join(', ') + (lacks.length > 5 ? ` and ${lacks.length - 5} more` : '');
    throw new OciTarError('NOT_FOUND', `${name ?? descriptor.digest} is incomplete in ${this.#source.name}: it lacks ${shown}`, {
      side: 'source',
      subject: name ?? descriptor.digest,
    });
  }

  async #visit(node: Node, parent: Descriptor | undefined, depth: number): Promise<Outcome> {
    this.#options.signal?.throwIfAborted();
    const { descriptor, role } = node;
    const known = this.#outcomes.get(descriptor.digest);
    if (known !== undefined) return known;
    if (depth > deepestIndex) {
      throw new OciTarError('LIMIT_EXCEEDED', `indexes are nested deeper than ${deepestIndex} at ${descriptor.digest}`, { limit: deepestIndex });
    }
    const outcome = await this.#outcome(descriptor, role, parent ?? descriptor, depth);
    this.#outcomes.set(descriptor.digest, outcome);
    if ('height' in outcome) this.#add(descriptor, role, outcome.height);
    return outcome;
  }

  async #outcome(descriptor: Descriptor, role: ContentRole, parent: Descriptor, depth: number): Promise<Outcome> {
    if (!(await this.#present(descriptor))) {
      const foreign = isForeignType(descriptor.mediaType) && (descriptor.urls?.length ?? 0) > 0;
      const gap = this.#gap({ descriptor, parent, why: foreign ? 'foreign' : 'absent' });
      return { lacks: [gap] };
    }
    if (role !== 'index' && role !== 'manifest') return { height: 0 };
    const document = await readDocument(this.#source, descriptor, this.#limits);
    if (document === undefined) return { height: 0 };
    if (document.kind === 'index') return this.#index(document, descriptor, depth);
    if (depth === 0) await this.#checkPlatform(document, descriptor);
    return this.#manifest(document, descriptor, depth);
  }

  /** A manifest needs all its children; foreign layers may stay where their urls are. */
  async #manifest(document: Document, descriptor: Descriptor, depth: number): Promise<Outcome> {
    const lacks: Gap[] = [];
    const found: Node[] = [];
    for (const child of nodesOf(document)) {
      if (this.#contents.has(child.descriptor.digest) || (await this.#present(child.descriptor))) {
        found.push(child);
        continue;
      }
      const outcome = await this.#visit(child, descriptor, depth + 1);
      if ('lacks' in outcome) lacks.push(...outcome.lacks.filter((gap) => gap.why === 'absent'));
    }
    if (lacks.length > 0) return { lacks };
    // Nothing of an incomplete manifest moves, so its children are added only now.
    for (const child of found) this.#add(child.descriptor, child.role, 0);
    return { height: 1 };
  }

  async #index(document: Document, descriptor: Descriptor, depth: number): Promise<Outcome> {
    const children = nodesOf(document);
    const wanted = chosenChildren(children.map((child) => child.descriptor), this.#options.platforms);
    const lacks: Gap[] = [];
    let height = 0;
    let complete = 0;
    for (const [position, child] of children.entries()) {
      if (!wanted[position]) {
        this.#gap({ descriptor: child.descriptor, parent: descriptor, why: 'filtered' });
        continue;
      }
      const outcome = await this.#visit(child, descriptor, depth + 1);
      if ('lacks' in outcome) {
        lacks.push(...outcome.lacks);
        continue;
      }
      complete += 1;
      height = Math.max(height, outcome.height + 1);
    }
    if (children.length > 0 && !wanted.includes(true)) throw noPlatform(descriptor, children, this.#options.platforms);
    const everything = this.#options.platforms !== undefined;
    const enough = everything ? lacks.length === 0 : complete > 0 || lacks.length === 0;
    return enough ? { height: Math.max(height, 1) } : { lacks };
  }

  /** An image without an index says in its config what it runs on. */
  async #checkPlatform(document: Document, descriptor: Descriptor): Promise<void> {
    const { platforms } = this.#options;
    if (platforms === undefined || platforms === 'all' || document.kind !== 'manifest') return;
    const { config } = document.manifest;
    if (!isConfigType(config.mediaType)) return;
    const actual = platformOf(parseConfig(await readBlob(this.#source, config, this.#limits.bytes), { limits: this.#limits }));
    if (platforms.some((platform) => matchPlatform(platform).match(actual))) return;
    throw noPlatform(descriptor, [{ descriptor: { ...descriptor, platform: actual } }], platforms);
  }

  async #present(descriptor: Descriptor): Promise<boolean> {
    try {
      await openBlob(this.#source, descriptor);
      return true;
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND')) return false;
      throw error;
    }
  }

  #add(descriptor: Descriptor, role: ContentRole, height: number): void {
    if (this.#contents.has(descriptor.digest)) return;
    this.#contents.set(descriptor.digest, new SourceContent(this.#origins, descriptor, role, height));
    this.#size += descriptor.size;
  }

  #gap(gap: Gap): Gap {
    this.#gaps.set(`${gap.parent.digest} ${gap.descriptor.digest}`, gap);
    return gap;
  }
}

class SourceContent implements Content {
  readonly origins: readonly ImageStore[];
  readonly descriptor: Descriptor;
  readonly role: ContentRole;
  readonly height: number;

  constructor(origins: readonly ImageStore[], descriptor: Descriptor, role: ContentRole, height: number) {
    this.origins = origins;
    this.descriptor = descriptor;
    this.role = role;
    this.height = height;
  }

  async *read(): ByteStream {
    const [source] = this.origins;
    if (source === undefined) return;
    const bytes = await openBlob(source, this.descriptor);
    yield* bytes.read();
  }
}

function noPlatform(subject: Descriptor, children: readonly { readonly descriptor: Descriptor }[], wanted: PlatformChoice): OciTarError {
  const asked = wanted === undefined || wanted === 'all' ? 'any platform' : wanted.map(formatPlatform).join(', ');
  const has = [...new Set(children.flatMap(({ descriptor: { platform } }) => (platform === undefined ? [] : [formatPlatform(platform)])))];
  return new OciTarError('NOT_FOUND', `no manifest for ${asked} in ${subject.digest}`, {
    side: 'source',
    subject: subject.digest,
    hint: has.length === 0 ? 'It names no platforms.' : `It has ${has.join(', ')}.`,
  });
}
