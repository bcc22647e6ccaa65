import { Verifier } from '../bytes/digest.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { isOciTarError } from '../errors.ts';
import type { ImageStore } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';

/** So many digests of one place are remembered, then all are forgotten: some blob is verified once more. */
const most = 100_000;

/** After this time a damaged blob is looked at again, in ms: somebody may have repaired the store. */
const patience = 60_000;

/** `damaged` is the moment at which that was found. */
type Finding = 'sound' | { readonly damaged: number };

interface Options {
  readonly now: () => number;
  readonly onLog: (line: string) => void;
  /** Told of each blob that was verified whole. */
  readonly onVerified?: (sound: boolean) => void;
}

/**
 * Remembers which blobs are what their digests say. A blob is read for that once: while it is first handed out, or before, where only a part
 * of it was asked for. One that is damaged is never handed out whole, and not at all once that is known.
 */
export class Soundness {
  readonly #options: Options;
  readonly #findings = new Map<ImageStore, Map<Digest, Finding>>();
  readonly #checks = new Map<ImageStore, Map<Digest, Promise<boolean>>>();

  constructor(options: Options) {
    this.#options = options;
  }

  isSound(store: ImageStore, digest: Digest): boolean {
    return this.#findings.get(store)?.get(digest) === 'sound';
  }

  isDamaged(store: ImageStore, digest: Digest): boolean {
    const finding = this.#findings.get(store)?.get(digest);
    return typeof finding === 'object' && this.#options.now() - finding.damaged < patience;
  }

  /** Whether it was damaged when it was looked at last, however long ago. */
  wasDamaged(store: ImageStore, digest: Digest): boolean {
    return typeof this.#findings.get(store)?.get(digest) === 'object';
  }

  /** The blob was just written, and verified by that. */
  forget(store: ImageStore, digest: Digest): void {
    this.#findings.get(store)?.delete(digest);
  }

  /** The whole blob; its last piece comes only when its digest is right, else the stream throws. */
  async *passing(store: ImageStore, descriptor: Descriptor, source: ByteSource): ByteStream {
    const verifier = new Verifier(descriptor);
    let held: Uint8Array | undefined;
    try {
      for await (const run of source.read()) {
        if (held !== undefined) yield held;
        held = undefined;
        await verifier.update(run);
        held = run;
      }
      await verifier.finish();
      this.#note(store, descriptor.digest, 'sound');
    } catch (error) {
      this.#failed(store, descriptor, error);
      throw error;
    } finally {
      verifier.dispose();
    }
    if (held !== undefined) yield held;
  }

  /** Reads the blob unless it is known to be sound; who comes meanwhile waits for the same reading. False when it is damaged. */
  async check(store: ImageStore, descriptor: Descriptor, source: ByteSource): Promise<boolean> {
    if (this.isSound(store, descriptor.digest)) return true;
    const checks = this.#checks.get(store) ?? new Map<Digest, Promise<boolean>>();
    this.#checks.set(store, checks);
    const check = checks.get(descriptor.digest) ?? this.#read(store, descriptor, source).finally(() => checks.delete(descriptor.digest));
    checks.set(descriptor.digest, check);
    return check;
  }

  /** Notes that a failure was met while a blob was read. */
  #failed(store: ImageStore, { digest }: Descriptor, error: unknown): void {
    if (isOciTarError(error, 'DIGEST_MISMATCH') || isOciTarError(error, 'SIZE_MISMATCH')) this.#note(store, digest, { damaged: this.#options.now() });
    this.#options.onLog(`${store.name}: ${error instanceof Error ? error.message : String(error)}`);
  }

  async #read(store: ImageStore, descriptor: Descriptor, source: ByteSource): Promise<boolean> {
    try {
      for await (const run of this.passing(store, descriptor, source)) void run;
      return true;
    } catch (error) {
      if (this.isDamaged(store, descriptor.digest)) return false;
      throw error;
    }
  }

  #note(store: ImageStore, digest: Digest, finding: Finding): void {
    const findings = this.#findings.get(store) ?? new Map<Digest, Finding>();
    this.#findings.set(store, findings);
    if (findings.size >= most) findings.clear();
    findings.set(digest, finding);
    this.#options.onVerified?.(finding === 'sound');
  }
}
