/**
 * A name in the form by which upstream tells two of them apart: Go's `filepath.Clean`. Doubled slashes, `.` and what `..`
 * takes back are gone, as is a slash at the end; names that are not UTF-8 (without `text`) keep apart from those that are.
 */
export function cleanedName(name: Uint8Array, text: string | undefined): string {
  return cleaned(text ?? `\0${latin1(name)}`);
}

/** What most names are free of: empty parts, `.` and `..`. */
const unclean = /(^|\/)\.{0,2}(\/|$)/;

function cleaned(text: string): string {
  if (!unclean.test(text)) return text;
  const rooted = text.startsWith('/');
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
      else if (!rooted) parts.push(part);
    } else parts.push(part);
  }
  const path = parts.join('/');
  if (rooted) return `/${path}`;
  return path === '' ? '.' : path;
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
