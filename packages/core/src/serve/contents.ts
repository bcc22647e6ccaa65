import { isOciTarError } from '../errors.ts';
import { roleOf } from '../image/children.ts';
import type { ImageStore } from '../image/store.ts';
import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isDigest } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import type { Documents, ReadDocument } from './documents.ts';
import type { RepositoryView, Root } from './view.ts';

/** Content that belongs to a repository. */
export interface Node {
  readonly store: ImageStore;
  readonly descriptor: Descriptor;
  /** It stands where manifests stand: it is listed, or a child of an index. */
  readonly isManifest: boolean;
}

/** What tells one root from another: its place, and its digest there. */
function rootKey({ stores }: RepositoryView): (root: Root) => string {
  return ({ store, descriptor }) => `${stores.indexOf(store)} ${descriptor.digest}`;
}

interface Options {
  readonly documents: Documents;
  /** More manifests than this are not followed. */
  readonly limit: number;
  readonly onLog: (line: string) => void;
}

/**
 * What the images of one repository lead to, found step by step: each manifest is read once, and only as many as it takes. What is
 * listed without a name belongs to the repository when it refers to something of it.
 */
export class Contents {
  #view: RepositoryView;
  readonly #options: Options;
  readonly #nodes = new Map<Digest, Node>();
  /** Those that refer to other manifests; of the many that do not only their nodes are kept. */
  readonly #documents = new Map<Digest, ReadDocument>();
  readonly #waiting: Node[] = [];
  /** Manifests that were not here when they were looked for. */
  readonly #missing: Node[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #nameless: readonly Root[];
  #adopting: Promise<boolean> | undefined;
  #count = 0;

  constructor(view: RepositoryView, options: Options) {
    this.#view = view;
    this.#options = options;
    this.#nameless = view.nameless;
    this.#add(view.roots.map(({ store, descriptor }) => ({ store, descriptor, isManifest: true })));
  }

  /**
   * Goes on with the repository as it is now. False, with nothing changed, where something of it has gone: then it is to be
   * looked through anew.
   */
  extend(view: RepositoryView): boolean {
    const now = new Set(view.roots.map(rootKey(view)));
    const before = rootKey(this.#view);
    if (!this.#view.roots.every((root) => now.has(before(root))) || view.nameless.length !== this.#view.nameless.length) return false;
    this.#view = view;
    this.retry();
    this.#add(view.roots.map(({ store, descriptor }) => ({ store, descriptor, isManifest: true })));
    this.#nameless = view.nameless;
    return true;
  }

  /** Manifests have come: one that was not here may be now. */
  retry(): void {
    for (const node of this.#missing.splice(0)) this.#waiting.push(node);
  }

  /** The content with this digest; undefined where nothing leads to it. */
  async find(digest: Digest): Promise<Node | undefined> {
    while (!this.#nodes.has(digest)) if (!(await this.#step())) break;
    return this.#nodes.get(digest);
  }

  /** Reads this manifest before any other: its blobs will be asked for next. */
  async prefer({ descriptor: { digest } }: Node): Promise<void> {
    const at = this.#waiting.findIndex((node) => node.descriptor.digest === digest);
    const [node] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (node !== undefined) await this.#read(node);
  }

  /** The manifests and indexes that refer to others, as their subject or as their children. */
  async documents(): Promise<ReadonlyMap<Digest, ReadDocument>> {
    while (await this.#step());
    return this.#documents;
  }

  /** Reads one more manifest. False when everything is known. */
  async #step(): Promise<boolean> {
    const node = this.#waiting.pop();
    if (node !== undefined) {
      await this.#read(node);
      return true;
    }
    // Another request is reading what may be looked for.
    if (this.#underWay.size > 0) {
      await Promise.race(this.#underWay);
      return true;
    }
    this.#adopting ??= this.#adoptNameless().finally(() => (this.#adopting = undefined));
    return this.#adopting;
  }

  #read(node: Node): Promise<void> {
    const work = this.#follow(node).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
    return work;
  }

  async #follow(node: Node): Promise<void> {
    const { store, descriptor } = node;
    this.#count += 1;
    if (this.#count > this.#options.limit) {
      if (this.#count === this.#options.limit + 1) this.#options.onLog(`${this.#view.key} has more than ${this.#options.limit} manifests; the rest is not served`);
      return;
    }
    const found = await this.#document(store, descriptor);
    if (found === undefined) {
      if (roleOf(descriptor) !== 'other') this.#missing.push(node);
      return;
    }
    if (found.document.subject !== undefined || found.document.manifests.length > 0) this.#documents.set(descriptor.digest, found.document);
    this.#add(found.document.blobs.map((blob) => ({ store: found.store, descriptor: blob, isManifest: false })));
    this.#add(found.document.manifests.map((manifest) => ({ store: found.store, descriptor: manifest, isManifest: true })));
  }

  /** From its own place, or another one that has it. */
  async #document(own: ImageStore, descriptor: Descriptor): Promise<{ readonly store: ImageStore; readonly document: ReadDocument } | undefined> {
    for (const store of new Set([own, ...this.#view.stores])) {
      try {
        const document = await this.#options.documents.read(store, descriptor);
        return document === undefined ? undefined : { store, document };
      } catch (error) {
        if (!isOciTarError(error)) throw error;
        // Of an index not all has to be here.
        if (error.code !== 'NOT_FOUND') this.#options.onLog(`${store.name}: ${error.message}`);
      }
    }
    return undefined;
  }

  /** Of several with one digest the first counts; a manifest counts before a blob. */
  #add(nodes: readonly Node[]): void {
    const added: Node[] = [];
    for (const node of nodes) {
      const known = this.#nodes.get(node.descriptor.digest);
      if (known !== undefined && (known.isManifest || !node.isManifest)) continue;
      this.#nodes.set(node.descriptor.digest, node);
      if (node.isManifest) added.push(node);
    }
    // The last one is read next.
    for (const node of added.toReversed()) this.#waiting.push(node);
  }

  /** Takes in what refers to something that is known by now. True when there was such. */
  async #adoptNameless(): Promise<boolean> {
    const left: Root[] = [];
    let found = false;
    for (const root of this.#nameless) {
      const { store, descriptor } = root;
      const claimed = descriptor.annotations?.[annotationKeys.manifestSubject] ?? (await this.#document(store, descriptor))?.document.subject?.digest;
      // What refers to nothing will never belong here.
      if (!isDigest(claimed)) continue;
      if (!this.#nodes.has(claimed)) left.push(root);
      else {
        this.#add([{ store, descriptor, isManifest: true }]);
        found = true;
      }
    }
    this.#nameless = left;
    return found;
  }
}
