import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { join } from '../../bytes/source.ts';
import { OciTarError } from '../../errors.ts';
import type { Digest } from '../../spec/digest.ts';
import type { Connection, Exchange } from './connection.ts';
import { callFailure, engineError, grpcStatus, hasStatus } from './failure.ts';
import { nothing, uploadAnswer, writeAnswer } from './messages.ts';

/** What one message carries: at least this where there is so much, and never more than the second; containerd takes 16 MiB. */
const messageSize = 1024 * 1024;
const messageLimit = 4 * messageSize;

/** Messages that are sent before the first of them is answered. ctr waits for each. */
const ahead = 4;

/** Milliseconds that another's upload of the same blob may stand still before we make our own beside it. */
const standstill = 10_000;

/** How long an end waits for a containerd that may be gone, in milliseconds. */
const patience = 10_000;

export interface UploadOptions {
  /** Under which containerd keeps what has come so far. */
  readonly ref: string;
  readonly digest?: Digest | undefined;
  /** In bytes. */
  readonly size?: number | undefined;
  /** Goes on where an earlier upload under this ref ended; by default that is overwritten. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly standstill?: number;
}

interface Begun {
  readonly exchange: Exchange<{ readonly offset: number; readonly digest: string }>;
  readonly ref: string;
  readonly offset: number;
}

/** One blob on its way into containerd, which digests it and shows it to nobody before `commit`. */
export class Upload {
  /** How much of it was there already, in bytes. */
  readonly resumed: number;
  readonly #connection: Connection;
  readonly #options: UploadOptions;
  readonly #ref: string;
  readonly #exchange: Begun['exchange'];
  /** Where each message that is not answered yet ends. */
  readonly #unanswered: number[] = [];
  #received = 0;
  #sent: number;
  #waiting: Uint8Array[] = [];
  #held = 0;

  private constructor(connection: Connection, options: UploadOptions, { exchange, ref, offset }: Begun) {
    this.#connection = connection;
    this.#options = options;
    this.#ref = ref;
    this.#exchange = exchange;
    this.resumed = options.resume === true && offset <= (options.size ?? 0) ? offset : 0;
    this.#sent = this.resumed;
  }

  /** Undefined where the namespace has the blob already. Waits for another upload of the same blob as long as that gets on. */
  static async start(connection: Connection, options: UploadOptions): Promise<Upload | undefined> {
    const { signal } = options;
    let { ref } = options;
    let [seen, since] = [-1, Date.now()];
    for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
      try {
        const begun = await begin(connection, { ...options, ref });
        return begun === undefined ? undefined : new Upload(connection, options, begun);
      } catch (error) {
        if (!isLocked(error)) throw engineError(error, 'take a blob', connection.address, signal);
      }
      const offset = await uploaded(connection, ref);
      if (offset !== seen) [seen, since] = [offset, Date.now()];
      else if (Date.now() - since >= (options.standstill ?? standstill)) ref = `${options.ref}-${randomBytes(6).toString('hex')}`;
      await wait(pause, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
        throw signal?.aborted === true ? signal.reason : error;
      });
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    const before = this.#received;
    this.#received += chunk.byteLength;
    const { size } = this.#options;
    if (size !== undefined && this.#received > size) throw this.#sizeMismatch(size, `more than ${size}`);
    const news = before >= this.resumed ? chunk : chunk.subarray(Math.min(this.resumed - before, chunk.byteLength));
    if (news.byteLength === 0) return;
    this.#waiting.push(news);
    this.#held += news.byteLength;
    if (this.#held >= messageSize) await this.#flush();
  }

  /**
   * Has containerd check size and digest and keep the blob under its digest, with these labels. SIZE_MISMATCH, DIGEST_MISMATCH. False
   * where somebody else has brought it in the meantime.
   */
  async commit(digest: Digest, labels: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const { size } = this.#options;
    try {
      if (size !== undefined && this.#received !== size) throw this.#sizeMismatch(size, this.#received);
      await this.#flush();
      while (this.#unanswered.length > 0) await this.#answered();
      this.#exchange.send({ action: 'COMMIT', ref: this.#ref, total: this.#received, expected: digest, offset: this.#sent, labels });
      const answer = await this.#exchange.receive();
      if (answer === undefined || answer.offset !== this.#received) throw this.#nonsense(this.#received, answer?.offset);
      this.#exchange.close();
      return true;
    } catch (error) {
      if (hasStatus(error, grpcStatus.alreadyExists)) {
        this.#exchange.close();
        return false;
      }
      const failure = callFailure(error);
      await this.abort();
      // Both of its checks have this status and say so only in words.
      if (failure?.code === grpcStatus.failedPrecondition && failure.details.includes('unexpected commit')) throw mismatch(failure.details, digest, this.#received);
      throw this.#failed(error);
    }
  }

  /** Gives the upload up; nothing of it stays where containerd still answers. */
  async abort(): Promise<void> {
    this.#exchange.close();
    this.#waiting = [];
    await this.#connection.call('Content/Abort', { ref: this.#ref }, nothing, { timeout: patience }).catch(() => {});
  }

  async #flush(): Promise<void> {
    if (this.#held === 0) return;
    const [only, second] = this.#waiting;
    const bytes = second === undefined && only !== undefined ? only : join(this.#waiting, this.#held);
    this.#waiting = [];
    this.#held = 0;
    try {
      for (let start = 0; start < bytes.byteLength; start += messageLimit) {
        const data = bytes.subarray(start, start + messageLimit);
        while (this.#unanswered.length >= ahead) await this.#answered();
        this.#exchange.send({ action: 'WRITE', ref: this.#ref, offset: this.#sent, data });
        this.#sent += data.byteLength;
        this.#unanswered.push(this.#sent);
      }
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async #answered(): Promise<void> {
    const answer = await this.#exchange.receive();
    const end = this.#unanswered.shift();
    if (end === undefined || answer?.offset !== end) throw this.#nonsense(end ?? 0, answer?.offset);
  }

  #failed(error: unknown): unknown {
    return engineError(error, `take ${this.#options.digest ?? 'a blob'}`, this.#connection.address, this.#options.signal);
  }

  #nonsense(expected: number, actual: number | undefined): OciTarError {
    const subject = this.#options.digest ?? this.#ref;
    if (actual === undefined) return new OciTarError('ENGINE', `containerd ended the upload of ${subject} at byte ${expected}`, { subject, offset: expected });
    return new OciTarError('ENGINE', `containerd has ${actual} bytes of ${subject} where ${expected} were sent`, { subject, expected, actual });
  }

  #sizeMismatch(expected: number, actual: number | string): OciTarError {
    const subject = this.#options.digest ?? this.#ref;
    return new OciTarError('SIZE_MISMATCH', `blob ${subject} has ${actual} bytes, expected ${expected}`, { expected, actual, subject });
  }
}

/** Asks for the ref. Undefined where the blob is there already. */
async function begin(connection: Connection, { ref, digest, size, signal }: UploadOptions): Promise<Begun | undefined> {
  const exchange = connection.exchange('Content/Write', writeAnswer, { signal });
  try {
    exchange.send({ action: 'STAT', ref, total: size ?? 0, expected: digest ?? '' });
    const answer = await exchange.receive();
    if (answer !== undefined) return { exchange, ref, offset: answer.offset };
    throw new OciTarError('ENGINE', 'containerd ended an upload before it began', { subject: digest ?? ref });
  } catch (error) {
    exchange.close();
    if (hasStatus(error, grpcStatus.alreadyExists)) return undefined;
    throw error;
  }
}

/** How far another's upload has come, in bytes. */
async function uploaded(connection: Connection, ref: string): Promise<number> {
  return connection.call('Content/Status', { ref }, uploadAnswer, { timeout: patience }).then(
    ({ status }) => status.offset,
    () => -2,
  );
}

/** The status is that of a containerd that is gone, too; only the words differ. */
function isLocked(error: unknown): boolean {
  return hasStatus(error, grpcStatus.unavailable) && callFailure(error)?.details.includes('locked') === true;
}

function mismatch(details: string, digest: Digest, size: number): OciTarError {
  const [, what = 'digest', actual = 'another one'] = /unexpected commit (digest|size) ([\w:+.-]+)/.exec(details) ?? [];
  if (what === 'size') return new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${actual} bytes, expected ${size}`, { expected: size, actual, subject: digest });
  const message = `blob ${digest} is damaged or not what it is called: its digest is ${actual}, expected ${digest}`;
  return new OciTarError('DIGEST_MISMATCH', message, { expected: digest, actual, subject: `blob ${digest}` });
}
