import type { WriteSession } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';

/** A blob that was pushed to a repository, and that no manifest needs yet. */
export interface Hold {
  readonly descriptor: Descriptor;
  /** Keeps it from being pruned. */
  readonly session: WriteSession;
  readonly since: number;
}

/** More blobs than this are not waited for: those that came first are let go. */
const most = 4096;

/** Blobs between their push and that of the manifest that needs them. */
export class Holds {
  readonly #age: number;
  readonly #now: () => number;
  readonly #holds = new Map<string, Hold>();

  /** `age` in ms. */
  constructor(age: number, now: () => number) {
    this.#age = age;
    this.#now = now;
  }

  get(key: string, digest: Digest): Descriptor | undefined {
    return this.#holds.get(`${key} ${digest}`)?.descriptor;
  }

  /** In whatever repository it is. */
  find(digest: Digest): Descriptor | undefined {
    for (const { descriptor } of this.#holds.values()) if (descriptor.digest === digest) return descriptor;
    return undefined;
  }

  has(key: string): boolean {
    for (const name of this.#holds.keys()) if (name.startsWith(`${key} `)) return true;
    return false;
  }

  async add(key: string, descriptor: Descriptor, session: WriteSession): Promise<void> {
    await this.sweep();
    await this.release(key, descriptor.digest);
    for (const name of this.#holds.keys()) {
      if (this.#holds.size < most) break;
      await this.#drop(name);
    }
    this.#holds.set(`${key} ${descriptor.digest}`, { descriptor, session, since: this.#now() });
  }

  /** A manifest leads to it from now on, or nothing is to. False where it is not held. */
  release(key: string, digest: Digest): Promise<boolean> {
    return this.#drop(`${key} ${digest}`);
  }

  async sweep(): Promise<void> {
    const oldest = this.#now() - this.#age;
    for (const [name, { since }] of this.#holds) if (since < oldest) await this.#drop(name);
  }

  async close(): Promise<void> {
    for (const name of this.#holds.keys()) await this.#drop(name).catch(() => {});
  }

  /** An abort lets go of the blob; it stays where it is until somebody prunes. */
  async #drop(name: string): Promise<boolean> {
    const hold = this.#holds.get(name);
    if (hold === undefined) return false;
    this.#holds.delete(name);
    await hold.session.abort();
    return true;
  }
}
