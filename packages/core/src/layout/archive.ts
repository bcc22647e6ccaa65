import { OciTarError } from '../errors.ts';
import type { Content, Plan } from '../image/plan.ts';
import type { WriteSession } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { stringifyJson } from '../spec/json.ts';
import { dockerManifest } from './docker-manifest.ts';
import { dockerManifestPath } from './docker/files.ts';
import type { ImageDriver } from './driver.ts';
import { layoutBytes, layoutPath, writeFile, writeIndex } from './files.ts';
import { namedEntry } from './names.ts';
import type { NameStyle } from './names.ts';
import { commitFailure, pump } from './pump.ts';

export interface ArchiveOptions {
  readonly style: NameStyle;
  /** Leaves docker's `manifest.json` out. */
  readonly skipManifestJson?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Writes a layout in one go, front to back, onto a medium that cannot go back (a tar, a pipe): `oci-layout`, `index.json`
 * and docker's `manifest.json` first, so that whoever reads the archive from a pipe knows what it holds before the bytes come.
 */
export async function archiveSession(driver: ImageDriver, plan: Plan, options: ArchiveOptions): Promise<WriteSession> {
  const { style, skipManifestJson = false, signal } = options;
  try {
    await driver.init();
    await writeFile(driver, layoutPath, layoutBytes, 0o444);
    await writeIndex(
      driver,
      [...plan.images, ...plan.referrers].map(({ name, descriptor }) => namedEntry(descriptor, name, style)),
    );
    const items = skipManifestJson ? [] : await dockerManifest(plan);
    if (items.length > 0) await writeFile(driver, dockerManifestPath, stringifyJson(items));
  } catch (error) {
    await driver.abort(error);
    throw error;
  }
  return new ArchiveSession(driver, plan, signal);
}

class ArchiveSession implements WriteSession {
  readonly sequential = true;
  readonly #driver: ImageDriver;
  readonly #plan: Plan;
  readonly #signal: AbortSignal | undefined;
  readonly #pushed = new Set<Digest>();

  constructor(driver: ImageDriver, plan: Plan, signal: AbortSignal | undefined) {
    this.#driver = driver;
    this.#plan = plan;
    this.#signal = signal;
  }

  async has(blob: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    return this.#pushed.has(blob.digest);
  }

  async push(content: Content, options: { readonly onBytes?: (count: number) => void; readonly signal?: AbortSignal } = {}): Promise<void> {
    const { digest, size } = content.descriptor;
    const writer = await this.#driver.blobWriter({ digest, size });
    await pump(content.read(), writer, { ...(this.#signal === undefined ? {} : { signal: this.#signal }), ...options });
    await writer.commit({ digest, size }).catch((error: unknown) => {
      throw commitFailure(error, options.signal ?? this.#signal);
    });
    this.#pushed.add(digest);
  }

  /** The names stand in index.json since the beginning; one that is not there cannot be added. */
  async name(reference: string | undefined, root: Content): Promise<void> {
    const planned = [...this.#plan.images, ...this.#plan.referrers].some((image) => image.name === reference && image.descriptor.digest === root.descriptor.digest);
    if (!planned) throw new OciTarError('CONFLICT', `${reference ?? root.descriptor.digest} is not among the images that this archive was begun with`);
  }

  async end(): Promise<void> {
    const missing = [...this.#plan.contents.keys()].filter((digest) => !this.#pushed.has(digest));
    if (missing.length > 0) throw new OciTarError('CONFLICT', `the archive cannot be ended: ${missing.length} blobs of its plan have not come, ${missing[0]} first`);
    await this.#driver.close();
  }

  async abort(reason?: unknown): Promise<void> {
    await this.#driver.abort(reason);
  }
}
