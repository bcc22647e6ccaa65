import { OciTarError, isOciTarError } from '../errors.ts';
import { parseConfig, platformOf } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import type { ImageIndex } from '../spec/image-index.ts';
import { isConfigType, isForeignType } from '../spec/media-type.ts';
import type { Manifest } from '../spec/manifest.ts';
import type { Platform } from '../spec/platform.ts';
import { nodesOf, roleOf } from './children.ts';
import type { Node } from './children.ts';
import { SourceContent } from './content.ts';
import { isContentFault } from './fault.ts';
import type { Content, Gap, Plan } from './plan.ts';
import { chosenChildren, describedBy } from './platform-choice.ts';
import type { PlatformChoice } from './platform-choice.ts';
import { openBlob, readBlob, readDocument, together } from './read.ts';
import type { ImageStore, NamedImage } from './store.ts';
import { failureOf } from './walk-failure.ts';

export interface WalkOptions {
  /**
   * Which children of an index to take. By default everything that the source has of the image, and at least one whole
   * child; `all`: every child, NOT_FOUND when one is incomplete; a list: the children for each of these platforms, NOT_FOUND
   * when the image has none for one of them.
   */
  readonly platforms?: PlatformChoice;
  /** Leaves out foreign (non-distributable) layers that can be fetched from their urls. They are taken along by default. */
  readonly skipNonDistributable?: boolean;
  /** For manifests, indexes and configs. */
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

/** What a walk found at one place of an image's graph: a document, or what an index lists beside documents. */
export interface Walked {
  readonly descriptor: Descriptor;
  /** As the index says, or else the config, where that had to be read. */
  readonly platform?: Platform;
  /**
   * `complete`: it can move. `absent`: the source does not have it. `incomplete`: it lacks something. `filtered`: it was not
   * asked for. `orphaned`: it describes an image that does not move. `damaged`: it is not what it is called.
   */
  readonly state: 'complete' | 'absent' | 'incomplete' | 'filtered' | 'orphaned' | 'damaged';
  /** As in Content. */
  readonly height: number;
  /** The children of an index, in its order. */
  readonly parts: readonly Walked[];
  /** The config and layers of a manifest that are here and not left out. */
  readonly blobs: readonly Node[];
  /** The config and layers of a manifest that do not move. */
  readonly gaps: readonly Gap[];
  /** What is wrong with it, or with one of its blobs. */
  readonly damage: readonly Damage[];
}

export interface Damage {
  readonly descriptor: Descriptor;
  readonly error: OciTarError;
}

/** One image, and why it cannot move as it was asked for. */
export interface WalkedImage {
  readonly image: NamedImage;
  readonly root: Walked;
  readonly failure?: OciTarError;
}

/** Indexes inside indexes go no deeper than this. */
const deepestIndex = 8;

const nothing = { height: 0, parts: [], blobs: [], gaps: [], damage: [] } as const;

/**
 * Goes through the graphs of images by reading their manifests and indexes. Damage is thrown; a survey goes on after it, and
 * also tells the platform of an image that has no index.
 */
export class Walk {
  readonly #source: ImageStore;
  /** One array for all contents. */
  readonly #origins: readonly ImageStore[];
  readonly #options: WalkOptions;
  readonly #limits: JsonLimits;
  readonly #survey: boolean;
  readonly #contents = new Map<Digest, Content>();
  readonly #gaps = new Map<string, Gap>();
  /** By type and size too: one that is said to be a manifest here and an index there has to be both. */
  readonly #seen = new Map<string, Walked>();
  #size = 0;

  constructor(source: ImageStore, options: WalkOptions, survey = false) {
    if (Array.isArray(options.platforms) && options.platforms.length === 0) throw new OciTarError('INVALID_ARGUMENT', 'the list of platforms is empty');
    this.#source = source;
    this.#origins = [source];
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    this.#survey = survey;
  }

  /** What the complete ones of these images are made of. */
  plan(images: readonly NamedImage[]): Plan {
    return { images, referrers: [], contents: this.#contents, gaps: [...this.#gaps.values()], size: this.#size };
  }

  async image(image: NamedImage): Promise<WalkedImage> {
    const { descriptor } = image;
    const root = await this.#visit({ descriptor, role: roleOf(descriptor) }, descriptor, 0);
    const failure = failureOf(image, root, this.#options.platforms, this.#source.name);
    return failure === undefined ? { image, root } : { image, root, failure };
  }

  async #visit(node: Node, parent: Descriptor, depth: number): Promise<Walked> {
    this.#options.signal?.throwIfAborted();
    const { descriptor, role } = node;
    const key = `${descriptor.mediaType} ${descriptor.digest} ${descriptor.size}`;
    const known = this.#seen.get(key);
    if (known !== undefined) return known.descriptor === descriptor ? known : { ...known, ...placed(descriptor, known.platform) };
    if (depth > deepestIndex) {
      throw new OciTarError('LIMIT_EXCEEDED', `indexes are nested deeper than ${deepestIndex} at ${descriptor.digest}`, { limit: deepestIndex });
    }
    const walked = await this.#look(node, parent, depth).catch((error: unknown): Walked => {
      if (!this.#survey || !isContentFault(error, this.#options.signal)) throw error;
      return { ...nothing, ...placed(descriptor), state: 'damaged', damage: [{ descriptor, error }] };
    });
    this.#seen.set(key, walked);
    if (walked.state === 'complete') this.#add(descriptor, role, walked.height);
    return walked;
  }

  async #look({ descriptor, role }: Node, parent: Descriptor, depth: number): Promise<Walked> {
    if (!(await this.#isHere(descriptor))) {
      this.#gap({ descriptor, parent, why: 'absent' });
      return { ...nothing, ...placed(descriptor), state: 'absent' };
    }
    const document = role === 'index' || role === 'manifest' ? await readDocument(this.#source, descriptor, this.#limits) : undefined;
    if (document === undefined) return { ...nothing, ...placed(descriptor), state: 'complete' };
    return document.kind === 'index' ? this.#index(document.index, descriptor, depth) : this.#manifest(document.manifest, descriptor);
  }

  /** A manifest needs all its children; foreign layers may stay where their urls are. */
  async #manifest(manifest: Manifest, descriptor: Descriptor): Promise<Walked> {
    const gaps: Gap[] = [];
    const blobs: Node[] = [];
    const damage: Damage[] = [];
    for (const child of nodesOf({ kind: 'manifest', manifest })) {
      const elsewhere = isForeignType(child.descriptor.mediaType) && (child.descriptor.urls?.length ?? 0) > 0;
      const wanted = !(elsewhere && this.#options.skipNonDistributable === true);
      try {
        if (wanted && (await this.#isHere(child.descriptor))) blobs.push(child);
        else gaps.push(this.#gap({ descriptor: child.descriptor, parent: descriptor, why: elsewhere ? 'foreign' : 'absent' }));
      } catch (error) {
        if (!this.#survey || !isContentFault(error, this.#options.signal)) throw error;
        damage.push({ descriptor: child.descriptor, error });
      }
    }
    const platform = descriptor.platform ?? (await this.#configPlatform(manifest, blobs, damage));
    const found = { ...nothing, ...placed(descriptor, platform), blobs, gaps, damage };
    if (damage.length > 0) return { ...found, state: 'damaged' };
    if (gaps.some(({ why }) => why === 'absent')) return { ...found, state: 'incomplete' };
    // Nothing of an incomplete manifest moves, so its children are added only now.
    for (const blob of blobs) this.#add(blob.descriptor, blob.role, 0);
    return { ...found, state: 'complete', height: 1 };
  }

  async #index(index: ImageIndex, descriptor: Descriptor, depth: number): Promise<Walked> {
    const { platforms } = this.#options;
    const children = nodesOf({ kind: 'index', index });
    const wanted = chosenChildren(index.manifests, platforms);
    const digests = new Set<string>(index.manifests.map((child) => child.digest));
    const companion = (child: Descriptor) => digests.has(describedBy(child) ?? '') && describedBy(child) !== child.digest;
    const images = index.manifests.some((child) => !companion(child));
    const parts = new Map<number, Walked>();
    const moving = new Set<string>();
    /** Those that an image cannot do without. */
    const essential: Walked[] = [];
    const leaveOut = (child: Descriptor, why: 'filtered' | 'orphaned'): Walked => {
      this.#gap({ descriptor: child, parent: descriptor, why });
      return { ...nothing, ...placed(child), state: why };
    };
    // What only describes an image comes after all images, since it goes where its image goes.
    for (const turn of images ? [false, true] : [undefined]) {
      const due = [...children.entries()].filter(([, child]) => turn === undefined || companion(child.descriptor) === turn);
      // Where all is asked for, all that is missing is to be told of.
      const orphaned = (child: Descriptor) => turn === true && platforms !== 'all' && !moving.has(describedBy(child) ?? '');
      for (const [count, [position, child]] of due.entries()) {
        if (count % together === 0) await this.#source.prefetch?.(due.slice(count, count + together).flatMap(([at, { descriptor: next }]) => (wanted[at] && !orphaned(next) ? [next] : [])));
        if (!wanted[position] || orphaned(child.descriptor)) {
          parts.set(position, leaveOut(child.descriptor, wanted[position] ? 'orphaned' : 'filtered'));
          continue;
        }
        const part = await this.#visit(child, descriptor, depth + 1);
        parts.set(position, part);
        if (part.state === 'filtered') this.#gap({ descriptor: child.descriptor, parent: descriptor, why: 'filtered' });
        else if (turn !== true || platforms === 'all') essential.push(part);
        if (part.state === 'complete') moving.add(child.descriptor.digest);
      }
    }
    const complete = essential.filter(({ state }) => state === 'complete');
    const enough = platforms === undefined ? complete.length > 0 || essential.length === 0 : complete.length === essential.length;
    const sorted = children.flatMap((_, position) => parts.get(position) ?? []);
    const unwanted = children.length > 0 && sorted.every(({ state }) => state === 'filtered');
    return {
      ...nothing,
      ...placed(descriptor),
      state: unwanted ? 'filtered' : enough ? 'complete' : 'incomplete',
      parts: sorted,
      height: sorted.reduce((height, part) => (part.state === 'complete' ? Math.max(height, part.height + 1) : height), 1),
    };
  }

  /** An image without an index says in its config what it runs on. Read only where it matters. */
  async #configPlatform({ config }: Manifest, here: readonly Node[], damage: Damage[]): Promise<Platform | undefined> {
    const asked = Array.isArray(this.#options.platforms);
    if (!(asked || this.#survey) || !isConfigType(config.mediaType) || !here.some(({ descriptor }) => descriptor === config)) return undefined;
    try {
      return platformOf(parseConfig(await readBlob(this.#source, config, this.#limits.bytes), { limits: this.#limits, subject: config.digest }));
    } catch (error) {
      if (!this.#survey || !isContentFault(error, this.#options.signal)) throw error;
      // A copy of everything does not look into configs.
      if (asked) damage.push({ descriptor: config, error });
      return undefined;
    }
  }

  async #isHere(descriptor: Descriptor): Promise<boolean> {
    // A descriptor that gives another size than an earlier one is not taken for it.
    if (this.#contents.get(descriptor.digest)?.descriptor.size === descriptor.size) return true;
    try {
      await openBlob(this.#source, descriptor);
      return true;
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND')) return false;
      throw error;
    }
  }

  #add(descriptor: Descriptor, role: Content['role'], height: number): void {
    if (this.#contents.has(descriptor.digest)) return;
    this.#contents.set(descriptor.digest, new SourceContent(this.#origins, descriptor, role, height));
    this.#size += descriptor.size;
  }

  #gap(gap: Gap): Gap {
    this.#gaps.set(`${gap.parent.digest} ${gap.descriptor.digest}`, gap);
    return gap;
  }
}

/** A descriptor with the platform that it has, or else this one. */
function placed(descriptor: Descriptor, otherwise?: Platform): Pick<Walked, 'descriptor' | 'platform'> {
  const platform = descriptor.platform ?? otherwise;
  return platform === undefined ? { descriptor } : { descriptor, platform };
}
