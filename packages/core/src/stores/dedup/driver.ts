import { renameSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByteSource } from '../../bytes/types.ts';
import { isOciTarError } from '../../errors.ts';
import { directoryDriver } from '../../drivers/directory.ts';
import { Staging } from '../../drivers/directory/staging.ts';
import { LayoutTree } from '../../drivers/directory/tree.ts';
import type { BlobLease, BlobWriter, BlobWriterOptions, ExpectedBlob, FileWriter, ImageDriver, LayoutWriters, SealedBlob, WrittenBlob } from '../../layout/driver.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { fileSource } from '../../runtime/node/files.ts';
import { nextTurn } from '../../runtime/node/turn.ts';
import { blobPath, digestOfBlobPath, digestParts, isDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { takeApart } from './ingest.ts';
import type { TakenApart } from './ingest.ts';
import { markerLine, markerPath } from './marker.ts';
import { isStored, payloadPath } from './payload-directory.ts';
import { openRecipe, payloadsOf, recipeSource } from './recipe.ts';
import type { Recipe } from './recipe.ts';
import { storedPayloads } from './stored-payload.ts';

const payloadsFolder = 'dedup/payloads';
const recipesFolder = 'dedup/recipes';

/** How often a layer is taken apart anew that lost files to a prune in the same moment. */
const attempts = 3;

/** So many files are moved before others get their turn: the lock has to be kept alive. */
const atOnce = 128;

/**
 * An image layout directory whose layers are kept as recipes, and the files in them once, whatever layer they are in. What cannot
 * be made again byte for byte is an ordinary blob. Locks, staging and leases are those of the directory.
 */
export class DedupDriver implements ImageDriver {
  readonly name: string;
  readonly access = 'random';
  readonly #inner: ImageDriver;
  readonly #tree: LayoutTree;
  readonly #staging: Staging;

  constructor(path: string) {
    this.name = path;
    this.#inner = directoryDriver(path);
    this.#tree = new LayoutTree(path);
    this.#staging = new Staging(path);
  }

  /** The directory of the payloads. */
  get places(): string {
    return join(this.name, payloadsFolder);
  }

  async init(): Promise<void> {
    await this.#inner.init();
    await this.#tree.makeFolder(`${payloadsFolder}/sha256`);
    await this.#tree.makeFolder(`${recipesFolder}/sha256`);
    if ((await this.#tree.stat(markerPath)) !== undefined) return;
    const marker = await this.#inner.writer(markerPath);
    await marker.write(new TextEncoder().encode(markerLine));
    await marker.commit();
  }

  async *list(prefix?: string): AsyncGenerator<{ readonly path: string; readonly size: number }> {
    // What lies beside the layout is no part of it.
    for await (const found of this.#inner.list(prefix)) if (!found.path.startsWith('dedup/')) yield found;
    if (prefix !== undefined && !'blobs/sha256/'.startsWith(prefix)) return;
    for await (const digest of this.recipes()) {
      const path = blobPath(digest);
      if ((await this.#tree.stat(path)) !== undefined) continue;
      // One that is damaged is listed all the same, so that it is found and can be removed.
      const size = await this.recipe(digest).then((recipe) => recipe?.size ?? 0, () => 0);
      yield { path, size };
    }
  }

  async reader(path: string): Promise<ByteSource> {
    const digest = digestOfBlobPath(path);
    try {
      return await this.#inner.reader(path);
    } catch (error) {
      if (digest === undefined || !isOciTarError(error, 'NOT_FOUND')) throw error;
      const recipe = await this.recipe(digest);
      if (recipe === undefined) throw error;
      return recipeSource(recipe, digest, storedPayloads(this.places));
    }
  }

  writer(path: string, options?: { readonly mode?: number }): Promise<FileWriter> {
    return this.#inner.writer(path, options);
  }

  async blobWriter(options: BlobWriterOptions = {}): Promise<BlobWriter> {
    const inner = await this.#inner.blobWriter(options);
    return new DedupBlobWriter(inner, (sealed) => this.#adopt(sealed), (digest) => this.reader(blobPath(digest)));
  }

  async remove(path: string): Promise<void> {
    await this.#inner.remove(path);
    const digest = digestOfBlobPath(path);
    if (digest !== undefined) await this.#tree.remove(recipePath(digest));
  }

  exclusive<T>(work: () => Promise<T>, options?: { readonly signal?: AbortSignal }): Promise<T> {
    return this.#inner.exclusive(work, options);
  }

  async lease(options?: { readonly signal?: AbortSignal }): Promise<BlobLease> {
    const { lease } = this.#inner;
    if (lease === undefined) throw new TypeError('a directory has leases');
    return lease.call(this.#inner, options);
  }

  async writers(options?: { readonly dryRun?: boolean }): Promise<LayoutWriters> {
    const { writers } = this.#inner;
    if (writers === undefined) throw new TypeError('a directory knows its writers');
    return writers.call(this.#inner, options);
  }

  async close(): Promise<void> {
    await this.#staging.dispose(undefined);
    await this.#tree.sync();
    await this.#inner.close();
  }

  async abort(reason?: unknown): Promise<void> {
    await this.#staging.dispose(reason);
    await this.#tree.sync();
    await this.#inner.abort(reason);
  }

  /** The layers that are kept as recipes. */
  async *recipes(): AsyncGenerator<Digest, void, void> {
    for await (const { path } of this.#tree.list(recipesFolder)) {
      const [algorithm, encoded, ...rest] = path.slice(recipesFolder.length + 1).split('/');
      const digest = `${algorithm}:${encoded}`;
      if (rest.length === 0 && isDigest(digest)) yield digest;
    }
  }

  /** The recipe of a layer; undefined where it has none. */
  async recipe(digest: Digest): Promise<Recipe | undefined> {
    const path = recipePath(digest);
    const stats = await this.#tree.stat(path);
    if (stats?.isFile() !== true) return undefined;
    return openRecipe(await fileSource(join(this.name, path)), digest);
  }

  /** The files below a folder of the store's own, with what they take. */
  stored(folder: 'payloads' | 'recipes'): AsyncIterable<{ readonly path: string; readonly size: number }> {
    return this.#tree.list(folder === 'payloads' ? payloadsFolder : recipesFolder);
  }

  /** Removes a file of the store's own. Inside `exclusive`. */
  removeStored(path: string): Promise<void> {
    return this.#tree.remove(path);
  }

  /** The path of a payload, as `stored` tells it. */
  payloadPath(digest: Digest): string {
    return `${payloadsFolder}/${payloadPath(digest)}`;
  }

  async #adopt(sealed: SealedBlob): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const isHere = await this.reader(blobPath(sealed.digest)).then(({ size }) => size === sealed.size, () => false);
      const taken = isHere || attempt > attempts ? undefined : await takeApart(sealed, { open: () => this.#staging.open(0o444), newPath: () => this.#staging.newPath(), places: this.places });
      if (taken === undefined) return sealed.commit();
      const isMoved = await this.exclusive(() => this.#move(taken, sealed.digest)).finally(() => taken.discard());
      if (!isMoved) continue;
      await sealed.abort();
      return;
    }
  }

  /**
   * Moves what is missing to its place, and the recipe last. False when a file that was here has been pruned since. Under the lock,
   * so that no prune comes between: a payload is only ever removed while it is known that no recipe needs it.
   */
  async #move({ recipe, payloads }: TakenApart, digest: Digest): Promise<boolean> {
    await this.#tree.makeFolder(`${payloadsFolder}/sha256`);
    const opened = await openRecipe(await fileSource(recipe), digest);
    let count = 0;
    for await (const key of payloadsOf(opened)) {
      count += 1;
      if (count % atOnce === 0) await nextTurn();
      if (isStored(this.places, key.digest)) continue;
      const staged = payloads.path(key.digest);
      try {
        renameSync(staged, join(this.places, payloadPath(key.digest)));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT' && (await stat(recipe).catch(() => undefined)) !== undefined) return false;
        throw mapErrno(error, staged);
      }
    }
    this.#tree.rely(`${payloadsFolder}/sha256/any`);
    await this.#tree.sync();
    await this.#tree.adopt(recipe, recipePath(digest));
    await this.#tree.sync();
    return true;
  }
}

function recipePath(digest: Digest): string {
  const { algorithm, encoded } = digestParts(digest);
  return `${recipesFolder}/${algorithm}/${encoded}`;
}

/** Writes a blob as the directory does; what becomes of it is decided at its commit. */
class DedupBlobWriter implements BlobWriter {
  digest?: Digest;
  readonly #inner: BlobWriter;
  readonly #adopt: (sealed: SealedBlob) => Promise<void>;
  readonly #open: (digest: Digest) => Promise<ByteSource>;

  constructor(inner: BlobWriter, adopt: (sealed: SealedBlob) => Promise<void>, open: (digest: Digest) => Promise<ByteSource>) {
    this.#inner = inner;
    this.#adopt = adopt;
    this.#open = open;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inner.write(chunk);
  }

  async commit(expected?: ExpectedBlob): Promise<WrittenBlob> {
    const sealed = await this.seal(expected);
    await sealed.commit();
    return { digest: sealed.digest, size: sealed.size };
  }

  async seal(expected?: ExpectedBlob): Promise<SealedBlob> {
    if (this.#inner.seal === undefined) throw new TypeError('a directory seals blobs');
    const sealed = await this.#inner.seal(expected);
    const { digest, size } = sealed;
    this.digest = digest;
    let adopted: Promise<void> | undefined;
    let done = false;
    const open = this.#open;
    return {
      digest,
      size,
      source: () => ({
        size,
        async *read(start = 0, end = size) {
          // While it is taken apart it is still staged; that one is gone when it is in its place.
          if (!done) yield* sealed.source().read(start, end);
          else yield* (await open(digest)).read(start, end);
        },
      }),
      commit: () => (adopted ??= this.#adopt(sealed).then(() => void (done = true))),
      abort: () => (adopted === undefined ? sealed.abort() : Promise.resolve()),
    };
  }

  abort(reason?: unknown): Promise<void> {
    return this.#inner.abort(reason);
  }
}
