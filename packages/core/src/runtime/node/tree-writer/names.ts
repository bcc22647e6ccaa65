import { OciTarError } from '../../../errors.ts';

/** A path below the root in its normal form, a character for each byte; `''` is the root. */
export type TreePath = string;

/** PATH_MAX of Linux without its NUL: a longer path could be made, but not be used by anybody. */
const longestPath = 4095;
/** NAME_MAX of nearly every file system. */
const longestName = 255;
const overlong = /[^/]{256}/;

/** What an entry, or a hardlink's target, is called below the root. UNSAFE_PATH for `..`, NUL and what the system gives a meaning. */
export function treePath(text: string, bytes: Uint8Array | undefined): TreePath {
  const name = bytes === undefined ? Buffer.from(text).toString('latin1') : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const path = plain.test(name) ? name : normalized(name);
  if (path.length > longestPath) throw tooLong(path, 'the path', longestPath);
  if (overlong.test(path)) throw tooLong(path, 'a part of the path', longestName);
  if (process.platform === 'win32' && unfitForWindows.test(path)) throw unsafe(path, 'is a name that Windows gives another meaning');
  return path;
}

/** Nothing to tidy: no empty part, no part of dots alone, no NUL. */
const plain = /^(?!\.{0,2}(?:\/|$))[^/\0]+(?:\/(?!\.{0,2}(?:\/|$))[^/\0]+)*$/;
// oxlint-disable-next-line no-control-regex
const unfitForWindows = /[\\:*?"<>|\u0001-\u001f]|[. ](?:\/|$)|(?:^|\/)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.[^/]*)?(?:\/|$)/i;

function normalized(name: string): TreePath {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw unsafe(name, 'leads upwards');
  if (name.includes('\0')) throw unsafe(name, 'has a NUL in it');
  return parts.join('/');
}

function tooLong(path: TreePath, what: string, limit: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `${what} ${shownPath(path.slice(0, 60))}… has more than ${limit} bytes`, { limit, subject: textOf(path.slice(0, 200)) });
}

/** A whiteout is what a layer says, not a file of a tree: whoever writes one has not merged the layers. */
export function checkNoWhiteout(path: TreePath): void {
  if (nameOf(path).startsWith('.wh.')) throw unsafe(path, 'is a whiteout, which is no file of a tree');
}

export function unsafe(path: TreePath, why: string): OciTarError {
  return new OciTarError('UNSAFE_PATH', `${shownPath(path)} ${why}`, { subject: textOf(path) });
}

/** The directory that a path is in. */
export function parentOf(path: TreePath): TreePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function nameOf(path: TreePath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** For people; what is not UTF-8 becomes U+FFFD. */
export function textOf(path: TreePath): string {
  return path === '' ? '.' : Buffer.from(path, 'latin1').toString();
}

export function shownPath(path: TreePath): string {
  return JSON.stringify(textOf(path));
}

/** A path for the system: the part that is the caller's own as text, the rest byte by byte. */
export function systemPath(start: string, path: TreePath): string | Buffer {
  return beyondAscii.test(path) ? Buffer.concat([Buffer.from(start), Buffer.from(path, 'latin1')]) : start + path;
}

const beyondAscii = /[\u0080-\u00ff]/;
