const encoder = new TextEncoder();
// A byte order mark is part of a name, so it is kept.
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 to text; what is not UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  // Headers have several names that are mostly empty.
  return bytes.length === 0 ? '' : lenient.decode(bytes);
}

/** UTF-8 to text; undefined for what is not UTF-8. */
export function decodeExact(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The same for bytes of which `decodeText` has made `text`. */
export function exactText(bytes: Uint8Array, text: string): string | undefined {
  return text.includes('\ufffd') ? decodeExact(bytes) : text;
}

export function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] ?? 0) >= 0x80) return false;
  return true;
}

/** The bytes from `start` up to the first NUL, at most up to `end`. */
export function untilNul(bytes: Uint8Array, start: number, end: number): Uint8Array {
  let stop = start;
  while (stop < end && bytes[stop] !== 0) stop++;
  return stop === start ? nothing : bytes.subarray(start, stop);
}

const nothing = new Uint8Array(0);
