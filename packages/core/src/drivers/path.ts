import { OciTarError } from '../errors.ts';

/** PATH_MAX and NAME_MAX of Linux, in bytes; characters are counted here, never fewer than a quarter of them. */
const maxPath = 4096;
const maxName = 255;

/** Control characters (NUL above all) and the other system's separator: no layout has a name with one. */
// oxlint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u001f\u007f\\]/;

/**
 * Checks that a path is one of a file inside a layout: relative, `/` between its parts, no empty part, no `.` or `..`,
 * no backslash, drive letter or control character. Throws UNSAFE_PATH; returns the parts.
 */
export function layoutPathParts(path: string): readonly string[] {
  const parts = path.split('/');
  const why = fault(path, parts);
  if (why === undefined) return parts;
  throw new OciTarError('UNSAFE_PATH', `${JSON.stringify(path.slice(0, maxName))} is no path inside a layout: ${why}`, {
    subject: path.slice(0, maxName),
  });
}

/** The folder that a `list` prefix names, without its trailing slash; `undefined` for the whole layout. UNSAFE_PATH. */
export function layoutFolder(prefix: string | undefined): string | undefined {
  if (prefix === undefined || prefix === '') return undefined;
  const folder = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  layoutPathParts(folder);
  return folder;
}

function fault(path: string, parts: readonly string[]): string | undefined {
  if (path === '') return 'it is empty';
  if (path.length > maxPath) return `it is longer than ${maxPath} characters`;
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'it is absolute';
  if (forbidden.test(path)) return 'it has a backslash or a control character';
  for (const part of parts) {
    if (part === '') return 'it has an empty part';
    if (part === '.' || part === '..') return `it has the part ${part}`;
    if (part.length > maxName) return `a part is longer than ${maxName} characters`;
  }
  return undefined;
}
