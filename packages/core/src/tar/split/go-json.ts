/** What Go's encoding/json escapes beyond what JSON asks for: it may stand in HTML. */
// oxlint-disable-next-line no-control-regex
const escaped = /["\\<>&\u2028\u2029\u0000-\u001f]/g;
const short: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text as Go's encoding/json writes it (up to Go 1.21; later ones write backspace and form feed as `\b` and `\f`). */
export function goString(text: string): string {
  return `"${text.replace(escaped, (character) => short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}
