const blobs = 'blobs/sha256/';
const blobLength = blobs.length + 64;

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

/** A character for each two hex digits; undefined for what is not the path of a blob, spelled as the layout has it. */
function pack(path: string): string | undefined {
  if (path.length !== blobLength || !path.startsWith(blobs)) return undefined;
  const bytes: number[] = [];
  for (let at = blobs.length; at < blobLength; at += 2) {
    const high = hexDigit(path.charCodeAt(at));
    const low = hexDigit(path.charCodeAt(at + 1));
    if (high < 0 || low < 0) return undefined;
    bytes.push(16 * high + low);
  }
  // In one go: a string that is added to piece by piece keeps the pieces.
  return String.fromCharCode(...bytes);
}

function unpack(packed: string): string {
  let path = blobs;
  for (let at = 0; at < packed.length; at++) path += packed.charCodeAt(at).toString(16).padStart(2, '0');
  return path;
}

/** -1 for what is none, capital letters included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x61 + 10 : -1;
}
