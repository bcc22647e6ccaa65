import { isOciTarError } from '../errors.ts';
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
  readonly #view: RepositoryView;
  readonly #options: Options;
  readonly #nodes = new Map<Digest, Node>();
  readonly #documents = new Map<Digest, ReadDocument>();
  readonly #waiting: Node[] = [];
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

  /** All manifests and indexes, read. */
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

  async #follow({ store, descriptor }: Node): Promise<void> {
    this.#count += 1;
    if (this.#count > this.#options.limit) {
      if (this.#count === this.#options.limit + 1) this.#options.onLog(`${this.#view.key} has more than ${this.#options.limit} manifests; the rest is not served`);
      return;
    }
    const found = await this.#document(store, descriptor);
    if (found === undefined) return;
    this.#documents.set(descriptor.digest, found.document);
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
