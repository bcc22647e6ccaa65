import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

const blobs = 'blobs/sha256/';
/** As the layout spells it: small letters. */
const blobPath = /^blobs\/sha256\/[\da-f]{64}$/;

/**
 * A map by paths of an archive, of which nearly all are those of blobs: these are kept as the 32 bytes of their digest, in half the memory that a path takes. An archive
 * may have 100,000 of them, and more.
 */
export class PathMap<T> {
  readonly #blobs = new Map<string, T>();
  readonly #others = new Map<string, T>();

  get(path: string): T | undefined {
    const packed = pack(path);
    return packed === undefined ? this.#others.get(path) : this.#blobs.get(packed);
  }

  has(path: string): boolean {
    return this.get(path) !== undefined;
  }

  set(path: string, value: T): void {
    const packed = pack(path);
    if (packed === undefined) this.#others.set(path, value);
    else this.#blobs.set(packed, value);
  }

  *entries(): Iterable<readonly [path: string, value: T]> {
    yield* this.#others;
    for (const [packed, value] of this.#blobs) yield [unpack(packed), value];
  }

  *keys(): Iterable<string> {
    for (const [path] of this.entries()) yield path;
  }
}

/** A character for each byte of the digest; undefined for what is not the path of a blob. */
function pack(path: string): string | undefined {
  return blobPath.test(path) ? String.fromCharCode(...hexToBytes(path.slice(blobs.length))) : undefined;
}

function unpack(packed: string): string {
  return blobs + bytesToHex(Uint8Array.from(packed, (character) => character.charCodeAt(0)));
}
