import { OciTarError } from '../errors.ts';
import { decodeText, encodeText } from '../tar/text.ts';

/**
 * A path inside a layer in its one normal form: its parts joined by `/`, without empty ones and `.`, a character for each byte
 * (so that names that are not UTF-8 stay apart); `''` is the root.
 */
export type LayerPath = string;

/**
 * The normal form of an entry's name or of a hardlink's target: `./a//b/` and `/a/b` are `a/b`.
 * `decoded` is the same as text, where it is at hand. UNSAFE_PATH for `..` and for a NUL: nobody means them well, and readers disagree on what they are.
 */
export function layerPath(name: Uint8Array, decoded?: string): LayerPath {
  // What is ASCII when decoded was it before; most names are, and 10^6 need not be put together again.
  const text = decoded !== undefined && ascii.test(decoded) ? decoded : byteString(name);
  // Most names are normal already.
  if (normal.test(text)) return text;
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || text.includes('\0')) {
    const shown = JSON.stringify(decodeText(name));
    throw new OciTarError('UNSAFE_PATH', `${shown} is no path inside a layer`, { subject: decodeText(name) });
  }
  return parts.join('/');
}

/** Not empty, no empty part, no part that starts with a dot but is no plain name, no NUL. */
const normal = /^(?:(?!\.{1,2}(?:\/|$))[^/\0]+(?:\/(?!$)|$))+$/;

const ascii = /^[ -~]*$/;

/** A path that a person typed. */
export function layerPathOf(text: string): LayerPath {
  return layerPath(encodeText(text));
}

/** The bytes of a path, for a tar header. */
export function bytesOfPath(path: LayerPath): Uint8Array {
  const bytes = new Uint8Array(path.length);
  for (let i = 0; i < path.length; i++) bytes[i] = path.charCodeAt(i);
  return bytes;
}

/** A path for people and for JSON; what is not UTF-8 becomes U+FFFD. */
export function textOfPath(path: LayerPath): string {
  return beyondAscii.test(path) ? decodeText(bytesOfPath(path)) : path;
}

const beyondAscii = /[\u0080-\u00ff]/;

/** The directory that a path is in; the root is in itself. */
export function parentOf(path: LayerPath): LayerPath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** The last part of a path. */
export function nameOf(path: LayerPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The directories above a path, the root not among them, the highest first. */
export function* ancestorsOf(path: LayerPath): Generator<LayerPath, void, void> {
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) yield path.slice(0, slash);
}

/** A character for each byte. In pieces, since a call takes only so many arguments. */
export function byteString(bytes: Uint8Array): string {
  if (bytes.length <= 4096) return String.fromCharCode(...bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
