import { join } from 'node:path';
import { Verifier } from '../../bytes/digest.ts';
import type { ByteSource } from '../../bytes/types.ts';
import { isOciTarError } from '../../errors.ts';
import { Reachable } from '../../image/reachable.ts';
import type { ImageStore, PruneOptions, PruneReport } from '../../image/store.ts';
import { readIndex } from '../../layout/files.ts';
import { blobPath, digestParts } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { layoutStore } from '../layout.ts';
import type { LayoutStoreOptions } from '../layout.ts';
import { DedupDriver } from './driver.ts';
import { isDedupDirectory } from './marker.ts';
import { payloadsOf } from './recipe.ts';
import type { Recipe } from './recipe.ts';
import { storedPayload } from './stored-payload.ts';

/** What a deduplicated store saves. All sizes in bytes. */
export interface DedupUsage {
  /** Blobs, and their bytes as they are handed out. */
  readonly blobs: number;
  readonly logicalBytes: number;
  /** Layers that are kept as recipes, of those. */
  readonly layersTakenApart: number;
  /** Files that are kept once, for all of those layers. */
  readonly files: number;
  /** What all of it takes on the disk: files, recipes and blobs that are kept whole. */
  readonly storedBytes: number;
}

/** A store that keeps the files of its layers once. */
export interface DedupStore extends ImageStore {
  usage(): Promise<DedupUsage>;
}

export function isDedupStore(store: ImageStore): store is DedupStore {
  return 'usage' in store;
}

/**
 * A deduplicated store: an image layout directory whose layers are put together while they are read (docs/dedup.md). Layers are
 * taken apart as they come, where that is proven to give their bytes back.
 */
export function dedupStore(path: string, options: LayoutStoreOptions = {}): DedupStore {
  const driver = new DedupDriver(path);
  const store = layoutStore(driver, { name: path, ...options });
  return {
    ...storeMethods(store),
    name: store.name,
    usage: () => usageOf(driver),
    prune: (pruneOptions) => prune(driver, store, pruneOptions),
    discardDamaged: (blob) => discardDamaged(driver, store, blob.digest),
  };
}

/** The methods of an instance, which a spread of it would lose. */
function storeMethods(store: ImageStore): ImageStore {
  const { index, referrers, begin, remove, blobs } = store;
  return {
    name: store.name,
    images: () => store.images(),
    resolve: (reference) => store.resolve(reference),
    open: (blob): Promise<ByteSource> => store.open(blob),
    close: () => store.close(),
    ...(index === undefined ? {} : { index: () => index.call(store) }),
    ...(referrers === undefined ? {} : { referrers: (subject, options) => referrers.call(store, subject, options) }),
    ...(begin === undefined ? {} : { begin: (plan, options) => begin.call(store, plan, options) }),
    ...(remove === undefined ? {} : { remove: (reference) => remove.call(store, reference) }),
    ...(blobs === undefined ? {} : { blobs: () => blobs.call(store) }),
  };
}

async function usageOf(driver: DedupDriver): Promise<DedupUsage> {
  let [blobs, logicalBytes, layersTakenApart, files, storedBytes] = [0, 0, 0, 0, 0];
  for await (const { size } of driver.list('blobs/')) {
    blobs += 1;
    logicalBytes += size;
    storedBytes += size;
  }
  for await (const digest of driver.recipes()) {
    const recipe = await driver.recipe(digest).catch(() => undefined);
    layersTakenApart += 1;
    storedBytes -= recipe?.size ?? 0;
  }
  for await (const { size } of driver.stored('recipes')) storedBytes += size;
  for await (const { size } of driver.stored('payloads')) {
    files += 1;
    storedBytes += size;
  }
  return { blobs, logicalBytes, layersTakenApart, files, storedBytes };
}

/** Half of a digest is enough to know it by: a clash would only keep a file that nobody needs. */
function shortName(digest: Digest): string {
  return digestParts(digest).encoded.slice(0, 32);
}

/** As for a layout, and then the files that no recipe needs any more. Bytes are those that are freed on the disk. */
async function prune(driver: DedupDriver, store: ImageStore, options: PruneOptions = {}): Promise<PruneReport> {
  const sizes = new Map<Digest, number>();
  const logical = new Map<Digest, number>();
  if (!isDedupDirectory(driver.name)) return pruneLayout(store, options);
  for await (const { path, size } of driver.stored('recipes')) {
    const digest: Digest = `sha256:${path.slice(path.lastIndexOf('/') + 1)}`;
    sizes.set(digest, size);
    logical.set(digest, await driver.recipe(digest).then((recipe) => recipe?.size ?? 0, () => 0));
  }
  const report = await pruneLayout(store, options);
  const left = options.dryRun === true ? await kept(driver, store, options) : await recipesOf(driver);
  let correction = 0;
  for (const [digest, size] of sizes) if (!left.has(digest)) correction += size - (logical.get(digest) ?? 0);
  const freed = await sweep(driver, left, options);
  return { ...report, bytes: report.bytes + correction + freed };
}

async function pruneLayout(store: ImageStore, options: PruneOptions): Promise<PruneReport> {
  if (store.prune === undefined) throw new TypeError('a layout directory can be pruned');
  return store.prune(options);
}

async function recipesOf(driver: DedupDriver): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  for await (const digest of driver.recipes()) found.add(digest);
  return found;
}

/** The recipes that a prune would keep. */
async function kept(driver: DedupDriver, store: ImageStore, options: PruneOptions): Promise<ReadonlySet<Digest>> {
  const reachable = new Reachable(store, options);
  await reachable.add((await readIndex(driver)).manifests);
  await reachable.add((await driver.writers({ dryRun: true })).leased);
  return new Set([...(await recipesOf(driver))].filter((digest) => reachable.has(digest)));
}

/**
 * Removes the files that none of these recipes needs, nor one that has come since. Most is read before the lock is taken; under
 * it nobody can add a recipe, so what is removed then is needed by none. Returns the bytes that were freed.
 */
async function sweep(driver: DedupDriver, recipes: ReadonlySet<Digest>, { dryRun = false, signal }: PruneOptions): Promise<number> {
  const needed = new Set<string>();
  for (const digest of recipes) await needs(driver, digest, needed);
  const idle: { readonly path: string; readonly size: number }[] = [];
  const isIdle = (path: string) => !needed.has(path.slice(path.lastIndexOf('/') + 1).slice(0, 32));
  for await (const file of driver.stored('payloads')) if (isIdle(file.path)) idle.push(file);
  let bytes = 0;
  if (dryRun) return idle.reduce((sum, { size }) => sum + size, 0);
  for (let at = 0; at < idle.length; at += sweptTogether) {
    signal?.throwIfAborted();
    await driver.exclusive(async () => {
      for await (const digest of driver.recipes()) if (!recipes.has(digest)) await needs(driver, digest, needed);
      for (const { path, size } of idle.slice(at, at + sweptTogether)) {
        if (!isIdle(path)) continue;
        await driver.removeStored(path);
        bytes += size;
      }
    }, signal === undefined ? {} : { signal });
  }
  return bytes;
}

/** How many files are removed under the lock at a time. */
const sweptTogether = 4096;

/** Notes what a recipe needs. One that cannot be read keeps the prune from going on: what it needs cannot be told. */
async function needs(driver: DedupDriver, digest: Digest, needed: Set<string>): Promise<void> {
  const recipe = await driver.recipe(digest);
  if (recipe !== undefined) for await (const key of payloadsOf(recipe)) needed.add(shortName(key.digest));
}

/** Removes a damaged layer's recipe, and of its files those that are damaged, so that all of it is brought back. */
async function discardDamaged(driver: DedupDriver, store: ImageStore, digest: Digest): Promise<boolean> {
  const isDamaged = await driver.exclusive(async () => {
    const recipe = await driver.recipe(digest).catch((error: unknown) => {
      if (isOciTarError(error, 'INVALID_LAYOUT')) return 'damaged' as const;
      throw error;
    });
    if (recipe === undefined) return false;
    const isSound = recipe !== 'damaged' && (await discardFiles(driver, recipe));
    if (!isSound) await driver.remove(blobPath(digest));
    return !isSound;
  });
  return isDamaged || ((await store.discardDamaged?.({ digest })) ?? false);
}

/** Removes the damaged ones of a recipe's files. False where there was one, or where the recipe itself cannot be read. */
async function discardFiles(driver: DedupDriver, recipe: Recipe): Promise<boolean> {
  let isSound = true;
  try {
    for await (const key of payloadsOf(recipe)) {
      const path = driver.payloadPath(key.digest);
      const verifier = new Verifier(key);
      try {
        for await (const run of storedPayload(join(driver.name, path), key).read()) await verifier.update(run);
        await verifier.finish();
      } catch (error) {
        if (!isOciTarError(error)) throw error;
        isSound = false;
        if (error.code === 'DIGEST_MISMATCH' || error.code === 'SIZE_MISMATCH' || error.code === 'UNSAFE_PATH') await driver.removeStored(path);
        else if (error.code !== 'NOT_FOUND') throw error;
      } finally {
        verifier.dispose();
      }
    }
  } catch (error) {
    if (isOciTarError(error, 'INVALID_TAR') || isOciTarError(error, 'INVALID_COMPRESSION') || isOciTarError(error, 'LIMIT_EXCEEDED')) return false;
    throw error;
  }
  return isSound;
}
