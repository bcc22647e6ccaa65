import type { ByteStream } from '../bytes/types.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import type { Content } from '../image/plan.ts';
import type { StagedBlob, WriteSession } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { blobPath } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import type { ImageDriver, LeasedBlob, SealedBlob } from './driver.ts';
import { initLayout, readIndex, writeIndex } from './files.ts';
import { Holding } from './holding.ts';
import { primaryKeys, namedEntry } from './names.ts';
import type { NameStyle } from './names.ts';
import { commitFailure, pump } from './pump.ts';

/** Writes into a layout that can be read and changed: blobs as they come, names all at once at the end. */
export async function layoutSession(driver: ImageDriver, style: NameStyle, signal?: AbortSignal): Promise<WriteSession> {
  await initLayout(driver);
  return new LayoutSession(driver, style, new Holding(driver, signal), signal);
}

class LayoutSession implements WriteSession {
  readonly #driver: ImageDriver;
  readonly #style: NameStyle;
  readonly #holding: Holding;
  readonly #signal: AbortSignal | undefined;
  readonly #staged = new Map<Digest, SealedBlob>();
  readonly #names: { readonly reference: string | undefined; readonly descriptor: Descriptor }[] = [];

  constructor(driver: ImageDriver, style: NameStyle, holding: Holding, signal: AbortSignal | undefined) {
    this.#driver = driver;
    this.#style = style;
    this.#holding = holding;
    this.#signal = signal;
  }

  hold(blobs: readonly LeasedBlob[]): Promise<void> {
    return this.#holding.add(blobs);
  }

  async has(blob: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    if (!(await this.#isThere(blob))) return false;
    if (this.#holding.has(blob.digest)) return true;
    await this.#holding.addLeaf(blob);
    return this.#isThere(blob);
  }

  async #isThere(blob: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    try {
      const source = await this.#driver.reader(blobPath(blob.digest));
      return source.size === blob.size;
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND')) return false;
      throw error;
    }
  }

  async push(content: Content, options: { readonly onBytes?: (count: number) => void; readonly signal?: AbortSignal } = {}): Promise<void> {
    const { digest, size } = content.descriptor;
    await this.#holding.add([content.descriptor]);
    const staged = this.#staged.get(digest);
    if (staged !== undefined) {
      this.#staged.delete(digest);
      await staged.commit();
      options.onBytes?.(size);
      return;
    }
    const writer = await this.#driver.blobWriter({ digest, size });
    await pump(content.read(), writer, { ...this.#pumpOptions(), ...options });
    await writer.commit({ digest, size }).catch((error: unknown) => {
      throw commitFailure(error, options.signal ?? this.#signal);
    });
  }

  async stage(bytes: ByteStream, expected: { readonly digest?: Digest; readonly size?: number } = {}): Promise<StagedBlob> {
    const writer = await this.#driver.blobWriter(expected);
    if (writer.seal === undefined) {
      await writer.abort();
      throw new OciTarError('UNSUPPORTED', `${this.#driver.name} has no place for blobs that are not planned yet`, { side: 'target' });
    }
    await pump(bytes, writer, this.#pumpOptions());
    const sealed = await writer.seal(expected).catch((error: unknown) => {
      throw commitFailure(error, this.#signal);
    });
    const earlier = this.#staged.get(sealed.digest);
    if (earlier === undefined) {
      this.#staged.set(sealed.digest, sealed);
      return sealed;
    }
    await sealed.abort();
    return earlier;
  }

  async name(reference: string | undefined, root: Content): Promise<void> {
    await this.#holding.add([root.descriptor]);
    this.#names.push({ reference, descriptor: root.descriptor });
  }

  async end(): Promise<void> {
    await this.#dropStaged();
    this.#signal?.throwIfAborted();
    await this.#driver.exclusive(async () => {
      await this.#holding.confirm();
      const index = await readIndex(this.#driver);
      await writeIndex(this.#driver, this.#merged(index.manifests), index);
    }, this.#pumpOptions());
    await this.#holding.release();
  }

  async abort(): Promise<void> {
    await this.#dropStaged();
    await this.#holding.release();
  }

  /** A name moves to its new image; what has no name is listed once. */
  #merged(entries: readonly Descriptor[]): readonly Descriptor[] {
    const added = new Map(this.#names.map(({ reference, descriptor }) => [reference ?? descriptor.digest, namedEntry(descriptor, reference, this.#style)]));
    const taken = new Set([...added.values()].flatMap(primaryKeys));
    const kept = entries.filter((entry) => !primaryKeys(entry).some((key) => taken.has(key)));
    return [...kept, ...added.values()];
  }

  async #dropStaged(): Promise<void> {
    for (const staged of this.#staged.values()) await staged.abort();
    this.#staged.clear();
  }

  #pumpOptions(): { readonly signal?: AbortSignal } {
    return this.#signal === undefined ? {} : { signal: this.#signal };
  }
}
