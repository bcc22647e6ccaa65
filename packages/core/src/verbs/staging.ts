import { createSpool } from '#runtime/spool';
import { Verifier } from '../bytes/digest.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import { makePlan } from '../image/make-plan.ts';
import type { PlanOptions } from '../image/make-plan.ts';
import { withSources } from '../image/overlay.ts';
import type { Plan } from '../image/plan.ts';
import { beginOn, pushAll, transfer } from '../image/push.ts';
import type { PushOptions } from '../image/push.ts';
import type { ImageStore, NamedImage, StagedBlob, WriteSession } from '../image/store.ts';
import type { Digest } from '../spec/digest.ts';

/**
 * Blobs on their way into a target, before there is a plan of all that moves: in the target itself where it has a place for them, else
 * in temporary files.
 */
export class Staging {
  readonly #target: ImageStore;
  readonly #session: WriteSession | undefined;
  readonly #blobs = new Map<Digest, ByteSource>();
  readonly #disposals: (() => Promise<void>)[] = [];

  private constructor(target: ImageStore, session: WriteSession | undefined) {
    this.#target = target;
    this.#session = session;
  }

  static async open(target: ImageStore, signal: AbortSignal | undefined): Promise<Staging> {
    try {
      const session = await beginOn(target, undefined, signal);
      if (session.stage !== undefined) return new Staging(target, session);
      await session.abort();
    } catch (error) {
      // An archive has to know all its contents first.
      if (!isOciTarError(error, 'UNSUPPORTED')) throw error;
    }
    return new Staging(target, undefined);
  }

  async add(bytes: ByteStream): Promise<StagedBlob> {
    const staged = this.#session?.stage === undefined ? await this.#spooled(bytes) : await this.#session.stage(bytes);
    this.#blobs.set(staged.digest, staged.source());
    return staged;
  }

  /** What was added under a digest. */
  open(digest: Digest): ByteSource {
    const source = this.#blobs.get(digest);
    if (source === undefined) throw new OciTarError('NOT_FOUND', `nothing is staged as ${digest}`, { side: 'target', subject: digest });
    return source;
  }

  /** Plans the images over `source` and what was added, and moves all that into the target. Ends the staging. */
  async move(source: ImageStore, images: readonly NamedImage[], options: PlanOptions & PushOptions): Promise<Plan> {
    const plan = await makePlan(withSources(source, (digest) => this.#blobs.get(digest)), images, options);
    if (this.#session === undefined) await transfer(plan, this.#target, options);
    else {
      await pushAll(this.#session, plan, options);
      await this.#session.end();
    }
    return plan;
  }

  async abort(reason: unknown): Promise<void> {
    await this.#session?.abort(reason);
  }

  /** To be called in any case, in the end. */
  async dispose(): Promise<void> {
    for (const dispose of this.#disposals.splice(0)) await dispose();
  }

  async #spooled(bytes: ByteStream): Promise<StagedBlob> {
    const spool = await createSpool();
    this.#disposals.push(() => spool.dispose());
    const verifier = new Verifier({}, { algorithm: 'sha256' });
    try {
      for await (const run of bytes) {
        await verifier.update(run);
        await spool.write(run);
      }
      const { digest, size } = await verifier.finish();
      const source = await spool.source();
      return { digest, size, source: () => source };
    } finally {
      verifier.dispose();
    }
  }
}
