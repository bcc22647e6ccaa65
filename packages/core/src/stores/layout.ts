import { verified } from '../bytes/digest.ts';
import type { ByteSource } from '../bytes/types.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import type { Plan } from '../image/plan.ts';
import type { ImageStore, NamedImage, PruneOptions, ReferrersOptions, WriteSession } from '../image/store.ts';
import { archiveSession } from '../layout/archive.ts';
import type { ImageDriver } from '../layout/driver.ts';
import { checkLayout, hasLayout, readIndex, readIndexBytes, writeIndex } from '../layout/files.ts';
import { findEntry, findImage, findNameless, imageOf, noImage } from '../layout/find.ts';
import { primaryKeys } from '../layout/names.ts';
import type { NameStyle } from '../layout/names.ts';
import { blobsOf, pruneLayout } from '../layout/prune.ts';
import type { LayoutPruneReport } from '../layout/prune.ts';
import { LayoutReferrers } from '../layout/referrers.ts';
import { layoutSession } from '../layout/session.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { blobPath } from '../spec/digest.ts';

export interface LayoutStoreOptions {
  /** For messages; the driver's name by default. */
  readonly name?: string;
  /** How names are spelled in index.json; `plain` by default. */
  readonly style?: NameStyle;
  /** Leaves docker's `manifest.json` out of an archive that is written. */
  readonly skipManifestJson?: boolean;
  /** A medium that is no layout yet counts as an empty one. */
  readonly mayBeNew?: boolean;
}

/** The images of an OCI image layout, on whatever medium it lies. An append medium can only be begun on, with a plan. */
export function layoutStore(driver: ImageDriver, options: LayoutStoreOptions = {}): ImageStore {
  const store = new LayoutStore(driver, options);
  return driver.access === 'read' ? readOnly(store) : store;
}

class LayoutStore implements ImageStore {
  readonly name: string;
  readonly #driver: ImageDriver;
  readonly #style: NameStyle;
  readonly #mayBeNew: boolean;
  readonly #skipManifestJson: boolean;
  readonly #referrers: LayoutReferrers;

  constructor(driver: ImageDriver, options: LayoutStoreOptions) {
    this.name = options.name ?? driver.name;
    this.#driver = driver;
    this.#style = options.style ?? 'plain';
    this.#mayBeNew = options.mayBeNew ?? false;
    this.#skipManifestJson = options.skipManifestJson ?? false;
    this.#referrers = new LayoutReferrers(this, () => this.#entries());
  }

  async *images(): AsyncIterable<NamedImage> {
    for (const descriptor of await this.#entries()) yield imageOf(descriptor);
  }

  index(): Promise<Uint8Array> {
    return readIndexBytes(this.#driver);
  }

  async resolve(reference: string): Promise<NamedImage> {
    return findImage(await this.#entries(), reference, this.name);
  }

  open(blob: Descriptor): Promise<ByteSource> {
    return openBlobFile(this.#driver, blob);
  }

  referrers(subject: Descriptor, options?: ReferrersOptions): AsyncIterable<Descriptor> {
    return this.#referrers.of(subject, options);
  }

  async begin(plan?: Plan, options: { readonly signal?: AbortSignal } = {}): Promise<WriteSession> {
    if (this.#driver.access !== 'append') return layoutSession(this.#driver, this.#style, options.signal);
    if (plan === undefined) throw new OciTarError('UNSUPPORTED', `${this.name} must know all its contents before it is begun`, { side: 'target' });
    return archiveSession(this.#driver, plan, { style: this.#style, skipManifestJson: this.#skipManifestJson, ...options });
  }

  async remove(reference: string): Promise<void> {
    if ((await this.#entries()).length === 0) throw noImage([], reference, this.name);
    await this.#driver.exclusive(async () => {
      const index = await readIndex(this.#driver);
      const found = findEntry(index.manifests, reference, this.name) ?? findNameless(index.manifests, reference);
      if (found === undefined) throw noImage(index.manifests, reference, this.name);
      const gone = new Set(primaryKeys(found));
      const kept = index.manifests.filter((entry) => !primaryKeys(entry).some((key) => gone.has(key)));
      await writeIndex(this.#driver, kept, index);
    });
  }

  blobs(): AsyncIterable<Pick<Descriptor, 'digest' | 'size'>> {
    return blobsOf(this.#driver);
  }

  async prune(options: PruneOptions = {}): Promise<LayoutPruneReport> {
    const isNew = this.#mayBeNew && !(await hasLayout(this.#driver));
    return isNew ? { blobs: 0, bytes: 0, kept: 0, leased: 0, abandoned: { files: 0, bytes: 0 }, referrers: 0 } : pruneLayout(this.#driver, this, options);
  }

  discardDamaged({ digest }: Pick<Descriptor, 'digest'>): Promise<boolean> {
    const path = blobPath(digest);
    return this.#driver.exclusive(async () => {
      try {
        for await (const chunk of verified((await this.#driver.reader(path)).read(), { digest })) void chunk;
        return false;
      } catch (error) {
        if (isOciTarError(error, 'NOT_FOUND')) return false;
        if (!isOciTarError(error, 'DIGEST_MISMATCH') && !isOciTarError(error, 'SIZE_MISMATCH')) throw error;
      }
      await this.#driver.remove(path);
      return true;
    });
  }

  async #entries(): Promise<readonly Descriptor[]> {
    if (!this.#mayBeNew) await checkLayout(this.#driver);
    else if (!(await hasLayout(this.#driver))) return [];
    return (await readIndex(this.#driver)).manifests;
  }

  async close(): Promise<void> {
    // An archive is ended by its session alone: closing it here would make a half-written one look whole.
    if (this.#driver.access === 'append') await this.#driver.abort();
    else await this.#driver.close();
  }
}

/** Without `begin`, `remove` and `prune`, so that a copy finds out before it starts. */
function readOnly(store: LayoutStore): ImageStore {
  return {
    name: store.name,
    images: () => store.images(),
    index: () => store.index(),
    resolve: (reference) => store.resolve(reference),
    open: (blob) => store.open(blob),
    referrers: (subject, options) => store.referrers(subject, options),
    blobs: () => store.blobs(),
    close: () => store.close(),
  };
}

async function openBlobFile(driver: ImageDriver, { digest, size, mediaType }: Descriptor): Promise<ByteSource> {
  const source = await driver.reader(blobPath(digest)).catch((error: unknown) => {
    if (!isOciTarError(error, 'NOT_FOUND')) throw error;
    throw new OciTarError('NOT_FOUND', `${driver.name} has no blob ${digest} (${mediaType}, ${size} bytes)`, { subject: digest, cause: error });
  });
  if (source.size === size) return source;
  throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${source.size} bytes in ${driver.name}, expected ${size}`, {
    expected: size,
    actual: source.size,
    subject: digest,
  });
}
