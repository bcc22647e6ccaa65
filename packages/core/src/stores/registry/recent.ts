import type { Digest } from '../../spec/digest.ts';

/** Larger documents are fetched again, and more than this is not kept, in bytes. */
const largest = 1024 * 1024;
const capacity = 16 * 1024 * 1024;

/** Small verified blobs that were read lately: a manifest is looked at to plan, to check and to move it. The oldest one goes first. */
export class Recent {
  readonly #kept = new Map<Digest, Uint8Array>();
  #size = 0;

  static takes({ size }: { readonly size: number }): boolean {
    return size <= largest;
  }

  get(digest: Digest): Uint8Array | undefined {
    return this.#kept.get(digest);
  }

  add(digest: Digest, bytes: Uint8Array): void {
    if (this.#kept.has(digest) || !Recent.takes({ size: bytes.byteLength })) return;
    this.#kept.set(digest, bytes);
    this.#size += bytes.byteLength;
    for (const [oldest, { byteLength }] of this.#kept) {
      if (this.#size <= capacity) return;
      this.#kept.delete(oldest);
      this.#size -= byteLength;
    }
  }
}
