import { verified } from '../../bytes/digest.ts';
import { readSource } from '../../bytes/source.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Content, Plan } from '../../image/plan.ts';
import type { WriteSession } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { defaultLimits } from '../../spec/limits.ts';
import type { ImageDriver } from '../driver.ts';
import { writeFile } from '../files.ts';
import { commitFailure, pump } from '../pump.ts';
import { dirFileOf, dirManifestPath, dirPathOf, dirVersionBytes, dirVersionPath, hasDirVersion, isRootSignature, readDirRoot } from './files.ts';

/**
 * Writes one image into a directory as skopeo's `dir:` has it. `version` comes first, so that the directory can be told from
 * any other when the writer is killed; blobs as they come; `manifest.json` last, which makes the image. An image that was there
 * stays whole until then. What only that one needed, its signatures too, is removed; files of other names are let alone.
 */
export async function dirSession(driver: ImageDriver, plan: Plan | undefined, signal: AbortSignal | undefined): Promise<WriteSession> {
  const several = new Set(plan?.images.map(({ descriptor }) => descriptor.digest)).size > 1;
  if (several) throw oneOnly(driver);
  if (plan !== undefined && plan.referrers.length > 0) {
    throw new OciTarError('UNSUPPORTED', `${driver.name}: such a directory has no place for what refers to an image`, {
      side: 'target',
      subject: driver.name,
      hint: 'Leave --referrers out, or copy into oci:DIR.',
    });
  }
  const isNew = !(await hasDirVersion(driver));
  if (isNew) await writeFile(driver, dirVersionPath, dirVersionBytes);
  return new DirSession(driver, plan, isNew, signal);
}

class DirSession implements WriteSession {
  readonly #driver: ImageDriver;
  readonly #plan: Plan | undefined;
  readonly #isNew: boolean;
  readonly #signal: AbortSignal | undefined;
  /** What is in its place and verified. */
  readonly #there = new Map<Digest, string>();
  #root: Descriptor | undefined;

  constructor(driver: ImageDriver, plan: Plan | undefined, isNew: boolean, signal: AbortSignal | undefined) {
    this.#driver = driver;
    this.#plan = plan;
    this.#isNew = isNew;
    this.#signal = signal;
  }

  /** Reads what is there: anyone may have put it there, under a name that promises what it is. */
  async has(blob: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    if (this.#there.has(blob.digest)) return true;
    const content = this.#plan?.contents.get(blob.digest);
    if (content === undefined) return false;
    const path = pathOf(content);
    try {
      const source = await this.#driver.reader(path);
      if (source.size !== blob.size) return false;
      for await (const chunk of verified(source.read(), blob)) {
        void chunk;
        this.#signal?.throwIfAborted();
      }
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND') || isOciTarError(error, 'DIGEST_MISMATCH') || isOciTarError(error, 'SIZE_MISMATCH')) return false;
      throw error;
    }
    this.#there.set(blob.digest, path);
    return true;
  }

  async push(content: Content, options: { readonly onBytes?: (count: number) => void; readonly signal?: AbortSignal } = {}): Promise<void> {
    const { descriptor } = content;
    const path = pathOf(content);
    const writer = await this.#driver.writer(path);
    await pump(verified(content.read(), descriptor), writer, { ...(this.#signal === undefined ? {} : { signal: this.#signal }), ...options });
    await writer.commit().catch((error: unknown) => {
      throw commitFailure(error, options.signal ?? this.#signal);
    });
    this.#there.set(descriptor.digest, path);
  }

  /** Such a directory has no names: a reference is passed over. */
  async name(_reference: string | undefined, { descriptor }: Content): Promise<void> {
    if (this.#root !== undefined && this.#root.digest !== descriptor.digest) throw oneOnly(this.#driver);
    this.#root = descriptor;
  }

  async end(): Promise<void> {
    this.#signal?.throwIfAborted();
    await this.#driver.exclusive(() => this.#finish(), this.#signal === undefined ? {} : { signal: this.#signal });
  }

  /** Blobs stay, each of them whole, so that another attempt goes on from there. */
  async abort(): Promise<void> {
    if (this.#isNew && this.#there.size === 0) await this.#driver.remove(dirVersionPath);
  }

  async #finish(): Promise<void> {
    const root = this.#root;
    const rootPath = root === undefined ? undefined : this.#there.get(root.digest);
    if (root === undefined || rootPath === undefined) throw new OciTarError('CONFLICT', `${this.#driver.name}: no image has come`, { side: 'target', subject: this.#driver.name });
    // Another writer, at its end, removes what its own image does not need.
    for (const path of this.#there.values()) {
      await this.#driver.reader(path).catch((error: unknown) => {
        if (!isOciTarError(error, 'NOT_FOUND')) throw error;
        throw new OciTarError('CONFLICT', `${this.#driver.name} was written by someone else meanwhile`, { side: 'target', subject: this.#driver.name, hint: 'Run the copy again.', cause: error });
      });
    }
    const bytes = await readSource(await this.#driver.reader(rootPath), defaultLimits.bytes, rootPath);
    const before = await readDirRoot(this.#driver).catch(() => undefined);
    const stale = await this.#stale(root, before?.descriptor.digest === root.digest);
    // A signature must never stand beside a manifest that it is not of.
    for (const path of stale.signatures) await this.#driver.remove(path);
    await writeFile(this.#driver, dirManifestPath, bytes);
    await writeFile(this.#driver, dirVersionPath, dirVersionBytes);
    for (const path of stale.blobs) await this.#driver.remove(path);
  }

  async #stale(root: Descriptor, isSameImage: boolean): Promise<{ readonly signatures: readonly string[]; readonly blobs: readonly string[] }> {
    const signatures: string[] = [];
    const blobs: string[] = [];
    const kept = new Set([...this.#there].flatMap(([digest, path]) => (digest === root.digest ? [] : [path])));
    for await (const { path } of this.#driver.list()) {
      const file = dirFileOf(path);
      if (file?.kind === 'signature' ? !this.#there.has(file.digest) : isRootSignature(path) && !isSameImage) signatures.push(path);
      else if (file !== undefined && file.kind !== 'signature' && !kept.has(path)) blobs.push(path);
    }
    return { signatures, blobs };
  }
}

function pathOf({ descriptor, role }: Content): string {
  return dirPathOf(descriptor.digest, role === 'index' || role === 'manifest');
}

function oneOnly(driver: ImageDriver): OciTarError {
  return new OciTarError('UNSUPPORTED', `${driver.name}: such a directory holds one image only`, { side: 'target', subject: driver.name, hint: 'Copy into oci:DIR:NAME, or each into a directory of its own.' });
}
