import { encodeText } from '../text.ts';

/** Base64 of RFC 4648, section 4, with its padding, from bytes to ASCII bytes and back: tens of MB of it, so never by way of a text. */
const digits = encodeText('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const padding = 0x3d;
/** The digit of six zeros, `A`. */
const zero = 0x41;

const values = new Uint8Array(256).fill(0xff);
for (const [value, digit] of digits.entries()) values[digit] = value;

export function base64Length(size: number): number {
  return Math.ceil(size / 3) * 4;
}

/** Writes the base64 of `bytes` into `target` at `at`, which must have room for `base64Length` of them. */
export function encodeBase64(bytes: Uint8Array, target: Uint8Array, at: number): void {
  const whole = bytes.length - (bytes.length % 3);
  let to = at;
  // Headers and padding are zeros mostly: to have them all and skip them takes half the time.
  target.fill(zero, at, at + (whole / 3) * 4);
  for (let i = 0; i < whole; i += 3, to += 4) {
    const three = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    if (three === 0) continue;
    target[to] = digits[three >> 18] ?? 0;
    target[to + 1] = digits[(three >> 12) & 63] ?? 0;
    target[to + 2] = digits[(three >> 6) & 63] ?? 0;
    target[to + 3] = digits[three & 63] ?? 0;
  }
  if (whole === bytes.length) return;
  const first = bytes[whole] ?? 0;
  const second = bytes[whole + 1];
  target[to] = digits[first >> 2] ?? 0;
  target[to + 1] = digits[((first & 3) << 4) | ((second ?? 0) >> 4)] ?? 0;
  target[to + 2] = second === undefined ? padding : (digits[(second & 15) << 2] ?? 0);
  target[to + 3] = padding;
}

/** The bytes that base64 stands for; undefined for what is no base64. */
export function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const last = text.length - 1;
  const padded = text[last] !== padding ? 0 : text[last - 1] !== padding ? 1 : 2;
  const bytes = new Uint8Array((text.length / 4) * 3 - padded);
  const whole = padded === 0 ? text.length : text.length - 4;
  // A digit is below 64: any other byte shows in the bits above.
  let wrong = 0;
  let to = 0;
  for (let i = 0; i < whole; i += 4, to += 3) {
    // Three zeros, which are there already: most of a header and of padding.
    if (text[i] === zero && text[i + 1] === zero && text[i + 2] === zero && text[i + 3] === zero) continue;
    const a = values[text[i] ?? 0] ?? 0;
    const b = values[text[i + 1] ?? 0] ?? 0;
    const c = values[text[i + 2] ?? 0] ?? 0;
    const d = values[text[i + 3] ?? 0] ?? 0;
    wrong |= a | b | c | d;
    bytes[to] = (a << 2) | (b >> 4);
    bytes[to + 1] = (b << 4) | (c >> 2);
    bytes[to + 2] = (c << 6) | d;
  }
  if (padded > 0) {
    const a = values[text[whole] ?? 0] ?? 0;
    const b = values[text[whole + 1] ?? 0] ?? 0;
    const c = padded === 2 ? 0 : (values[text[whole + 2] ?? 0] ?? 0);
    wrong |= a | b | c;
    bytes[to] = (a << 2) | (b >> 4);
    if (padded === 1) bytes[to + 1] = (b << 4) | (c >> 2);
  }
  return wrong > 63 ? undefined : bytes;
}
