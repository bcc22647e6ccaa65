/** `manifests[0].annotations["a b"]`; the document itself is `the document`. */
export function jsonPath(parts: readonly (string | number)[]): string {
  if (parts.length === 0) return 'the document';
  let path = '';
  for (const part of parts) {
    if (typeof part === 'number') path += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(part)) path += path === '' ? part : `.${part}`;
    else path += `[${shownKey(part)}]`;
  }
  return path;
}

/** A key for messages, cut off where it is long. */
export function shownKey(key: string): string {
  return JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}…` : key);
}
