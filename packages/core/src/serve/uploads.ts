import { randomBytes } from 'node:crypto';
import { transformedSink } from '../bytes/channel.ts';
import type { ByteSink, ByteStream } from '../bytes/types.ts';
import type { ImageStore, StagedBlob, WriteSession } from '../image/store.ts';
import type { Digest } from '../spec/digest.ts';
import type { ServeLimits } from './options.ts';
import { Refusal } from './refusal.ts';

const nowhere: ByteSink = { write: async () => {}, commit: async () => {}, abort: async () => {} };

/** One blob on its way in: staged as it comes, over as many requests as it takes. Nothing of it is visible before it is complete. */
export class Upload {
  readonly id = randomBytes(16).toString('hex');
  /** The repository that it was begun in. */
  readonly key: string;
  readonly session: WriteSession;
  /** Bytes so far. */
  received = 0;
  /** A request is writing to it. */
  busy = false;
  touched: number;
  readonly #limit: number;
  readonly #sink: ByteSink;
  #staged: StagedBlob | undefined;

  constructor(key: string, session: WriteSession, limit: number, now: number, expected: { readonly digest?: Digest } = {}) {
    const { stage } = session;
    if (stage === undefined) throw new Refusal(405, 'UNSUPPORTED', 'this store cannot be pushed to');
    this.key = key;
    this.session = session;
    this.touched = now;
    this.#limit = limit;
    const keep = async (bytes: ByteStream) => {
      this.#staged = await stage.call(session, bytes, expected);
    };
    // A stream that ends without having given anything: what is staged does not go on.
    this.#sink = transformedSink(nowhere, async function* (bytes) {
      await keep(bytes);
    });
  }

  /** Throws `Refusal` where so many bytes more would be too many. */
  expect(bytes: number): void {
    if (this.received + bytes > this.#limit) throw new Refusal(413, 'SIZE_INVALID', `a blob may have up to ${this.#limit} bytes`);
  }

  /** Takes the body of one request; what came before a cut stays. Throws `Refusal` past the limit, and the failure of the store. */
  async take(body: ByteStream): Promise<void> {
    for await (const run of body) {
      this.expect(run.byteLength);
      await this.#sink.write(run);
      this.received += run.byteLength;
    }
  }

  /** Everything has come. */
  async finish(): Promise<StagedBlob> {
    await this.#sink.commit();
    if (this.#staged === undefined) throw new Error('the store ended without a blob');
    return this.#staged;
  }

  async abort(reason?: unknown): Promise<void> {
    await this.#sink.abort(reason ?? new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'the upload was given up'));
    await this.session.abort(reason);
  }
}

/** The uploads under way. Those that nobody continues are given up. */
export class Uploads {
  readonly #store: ImageStore;
  readonly #limits: ServeLimits;
  readonly #now: () => number;
  readonly #open = new Map<string, Upload>();
  #beginning = 0;

  constructor(store: ImageStore, limits: ServeLimits, now: () => number) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws `Refusal` (429) where too many are under way. */
  async begin(key: string, expected?: { readonly digest?: Digest }): Promise<Upload> {
    await this.sweep();
    const { begin } = this.#store;
    if (begin === undefined) throw new Refusal(405, 'UNSUPPORTED', 'this registry cannot be pushed to');
    if (this.#open.size + this.#beginning >= this.#limits.uploads) throw new Refusal(429, 'TOOMANYREQUESTS', `there are ${this.#limits.uploads} uploads under way already`, { 'retry-after': '10' });
    this.#beginning += 1;
    try {
      const session = await begin.call(this.#store);
      const upload = new Upload(key, session, this.#limits.uploadSize, this.#now(), expected);
      this.#open.set(upload.id, upload);
      return upload;
    } finally {
      this.#beginning -= 1;
    }
  }

  /** Throws `Refusal`: 404 for one that is not there, or is another repository's; 409 while a request writes to it. */
  get(key: string, id: string): Upload {
    const upload = this.#open.get(id);
    if (upload === undefined || upload.key !== key) throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload; begin again');
    upload.touched = this.#now();
    return upload;
  }

  /** Runs work on an upload while no other request does. */
  async use<T>(upload: Upload, work: () => Promise<T>): Promise<T> {
    if (upload.busy) throw new Refusal(409, 'BLOB_UPLOAD_INVALID', 'another request is writing to this upload');
    upload.busy = true;
    try {
      return await work();
    } finally {
      upload.busy = false;
      upload.touched = this.#now();
    }
  }

  /** It is complete, or given up; its session is the caller's from now on. */
  release(upload: Upload): void {
    this.#open.delete(upload.id);
  }

  async drop(upload: Upload, reason?: unknown): Promise<void> {
    this.release(upload);
    await upload.abort(reason);
  }

  /** Gives up what has become too old. */
  async sweep(): Promise<void> {
    const oldest = this.#now() - this.#limits.uploadAge;
    for (const upload of this.#open.values()) if (!upload.busy && upload.touched < oldest) await this.drop(upload);
  }

  async close(): Promise<void> {
    for (const upload of this.#open.values()) await this.drop(upload).catch(() => {});
  }
}
