import { isOciTarError } from '../errors.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { isListedReferrer } from '../image/referrers.ts';
import { isFullReference } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { keyIn, keyOf, pathOfKey, servedName, shortName } from './naming.ts';
import type { ServedPlace } from './options.ts';
import { Refusal } from './refusal.ts';
import { isRepositoryName } from './route.ts';

/** What a place lists, where it is from. */
export interface Root {
  readonly store: ImageStore;
  readonly descriptor: Descriptor;
  /** As the place spells it; absent for what has no name there. */
  readonly name?: string;
}

/** The images of one repository at one moment. */
export interface RepositoryView {
  readonly key: string;
  readonly tags: ReadonlyMap<string, Root>;
  /** Tagged and not, each once. */
  readonly roots: readonly Root[];
  /** What some place lists without a name, which may refer to something of this repository. */
  readonly nameless: readonly Root[];
  /** Every place that is served, to look for what the root's own one lacks. */
  readonly stores: readonly ImageStore[];
}

interface Listing {
  readonly version: Uint8Array | undefined;
  readonly images: readonly NamedImage[];
}

/** What is served, as the places are now. */
export class Views {
  readonly #places: readonly ServedPlace[];
  readonly #onLog: (line: string) => void;
  readonly #listings = new Map<ServedPlace, Listing>();
  readonly #told = new Set<string>();
  #view: View | undefined;

  constructor(places: readonly ServedPlace[], onLog: (line: string) => void) {
    this.#places = places;
    this.#onLog = onLog;
  }

  /** The same object as long as nothing has changed. */
  async current(): Promise<View> {
    let changed = this.#view === undefined;
    for (const place of this.#places) {
      const earlier = this.#listings.get(place);
      const listing = await list(place, earlier);
      if (listing === earlier) continue;
      this.#listings.set(place, listing);
      changed = true;
    }
    if (!changed && this.#view !== undefined) return this.#view;
    this.#view = this.#build();
    return this.#view;
  }

  #build(): View {
    const repositories = new Map<string, Gathered>();
    const nameless: Root[] = [];
    for (const [position, place] of this.#places.entries()) {
      const { store, baseName = 'image' } = place;
      const images = this.#listings.get(place)?.images ?? [];
      // A full name counts before a tag alone, which only borrows its repository.
      const sorted = [...images].sort((a, b) => rank(a) - rank(b));
      for (const image of sorted) {
        const { descriptor } = image;
        // The only image of a place can be asked for as such.
        const name = image.name ?? (images.length === 1 && !isListedReferrer(image) ? 'latest' : undefined);
        const root: Root = { store, ...image };
        const served = name === undefined ? { key: keyOf(baseName) } : servedName(name, baseName);
        if (served === undefined) {
          this.#tell(`${store.name}: ${JSON.stringify(name)} is no name that a registry could have; it is not served`);
          continue;
        }
        if (name === undefined) nameless.push(root);
        // What is only listed beside an image is found through that.
        if (name === undefined && isListedReferrer(image)) continue;
        const repository = repositories.get(served.key) ?? { tags: new Map<string, Root>(), roots: new Map<string, Root>(), isNamed: false };
        repositories.set(served.key, repository);
        repository.isNamed ||= name !== undefined;
        if ('tag' in served && served.tag !== undefined && !repository.tags.has(served.tag)) repository.tags.set(served.tag, root);
        repository.roots.set(`${position} ${descriptor.digest}`, root);
      }
    }
    return new View(repositories, nameless, this.#places.map(({ store }) => store));
  }

  #tell(line: string): void {
    if (this.#told.has(line) || this.#told.size >= 1000) return;
    this.#told.add(line);
    this.#onLog(line);
  }
}

interface Gathered {
  readonly tags: Map<string, Root>;
  readonly roots: Map<string, Root>;
  /** False where nothing says that there is such a repository but what has no name at all. */
  isNamed: boolean;
}

/** All repositories at one moment. */
export class View {
  readonly #repositories = new Map<string, RepositoryView>();
  readonly #byPath = new Map<string, string[]>();
  readonly #listed: readonly string[];

  constructor(repositories: ReadonlyMap<string, Gathered>, nameless: readonly Root[], stores: readonly ImageStore[]) {
    this.#listed = [...repositories].filter(([, { isNamed }]) => isNamed).map(([key]) => key);
    for (const [key, { tags, roots }] of repositories) {
      this.#repositories.set(key, { key, tags, roots: [...roots.values()], nameless, stores });
      const path = pathOfKey(key);
      this.#byPath.set(path, [...(this.#byPath.get(path) ?? []), key]);
    }
  }

  get(key: string): RepositoryView | undefined {
    return this.#repositories.get(key);
  }

  /**
   * The full name of the repository that a request means: with a namespace (`?ns=`, as mirrors are asked) that one alone; else the name
   * as docker completes it, or the only one with this path on whatever registry. A new name is what docker makes of it.
   * Throws `Refusal` where several have this path.
   */
  resolve(name: string, namespace?: string): string {
    if (namespace !== undefined && namespace !== '') {
      const key = keyIn(namespace, name);
      if (key === undefined) throw new Refusal(400, 'NAME_INVALID', 'this is not a repository of that namespace');
      return key;
    }
    const key = keyOf(name);
    if (this.#repositories.has(key)) return key;
    const [only, ...others] = this.#byPath.get(name) ?? [];
    if (only === undefined) return key;
    if (others.length === 0) return only;
    throw new Refusal(404, 'NAME_UNKNOWN', `several repositories have this path: ask for ${[only, ...others].slice(0, 5).join(' or ')}`);
  }

  /** One name for each repository, by which `resolve` finds it, sorted. */
  names(): readonly string[] {
    const names = this.#listed.map((key) => {
      return [shortName(key), pathOfKey(key), key].find((name) => isRepositoryName(name) && this.#means(name, key));
    });
    return names.filter((name) => name !== undefined).sort(byUnits);
  }

  #means(name: string, key: string): boolean {
    try {
      return this.resolve(name) === key;
    } catch {
      return false;
    }
  }
}

export function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rank({ name }: NamedImage): number {
  if (name === undefined) return 2;
  return isFullReference(name) ? 0 : 1;
}

/** What a place lists now; the earlier listing itself where that has not changed. A place that cannot be written does not. */
async function list({ store, reference }: ServedPlace, earlier: Listing | undefined): Promise<Listing> {
  if (earlier !== undefined && store.begin === undefined) return earlier;
  const version = await store.index?.().catch(() => undefined);
  if (earlier?.version !== undefined && version !== undefined && sameBytes(earlier.version, version)) return earlier;
  if (reference !== undefined) return { version, images: await resolved(store, reference) };
  const images: NamedImage[] = [];
  for await (const image of store.images()) images.push(image);
  // An empty place that is still no layout has no index; it must not count as changed each time.
  return earlier !== undefined && version === undefined && images.length === 0 && earlier.images.length === 0 ? earlier : { version, images };
}

/** The image that is served alone; nothing once it has been removed. */
async function resolved(store: ImageStore, reference: string): Promise<readonly NamedImage[]> {
  try {
    return [await store.resolve(reference)];
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

/** With a loop: an index.json may have 4 MiB, and is compared with each request. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let at = 0; at < a.byteLength; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
