import type { TarEntry } from './entry.ts';
import { decodeText } from './text.ts';

export { xattrRecords } from '../runtime/tree.ts';

const star = 'SCHILY.xattr.';
const libarchive = 'LIBARCHIVE.xattr.';

/**
 * The extended attributes of an entry by name (`security.capability`), values as bytes. They are in `SCHILY.xattr.*` records
 * as they stand, and in libarchive's own in base64; where both have one, the first counts. Records that are no
 * base64 are passed over.
 */
export function xattrs(entry: Pick<TarEntry, 'pax' | 'globals'>): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const records of [entry.globals, entry.pax]) {
    for (const [keyword, value] of records) {
      const decoded = keyword.startsWith(libarchive) ? fromBase64(value) : undefined;
      if (decoded !== undefined) found.set(unescaped(keyword.slice(libarchive.length), /%[0-9A-Fa-f]{2}/g), decoded);
    }
    for (const [keyword, value] of records) if (keyword.startsWith(star)) found.set(unescaped(keyword.slice(star.length), /%(?:25|3[Dd])/g), value);
  }
  return found;
}

function unescaped(name: string, escape: RegExp): string {
  if (!name.includes('%')) return name;
  try {
    return name.replaceAll(escape, (code) => decodeURIComponent(code));
  } catch {
    // A byte beyond ASCII on its own: it stays as it is written.
    return name;
  }
}

function fromBase64(value: Uint8Array): Uint8Array | undefined {
  try {
    const binary = atob(decodeText(value));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
