/**
 * A numeric header field: octal digits between spaces and NULs, or base-256 (GNU) when the first bit is set.
 * Empty is 0. Undefined for anything else and for what does not fit -(2^53-1)..2^53-1.
 */
export function parseNumber(block: Uint8Array, start: number, end: number): number | undefined {
  if ((block[start] ?? 0) >= 0x80) return parseBase256(block, start, end);
  let at = start;
  while (at < end && isBlank(block[at])) at++;
  let value = 0;
  for (; at < end && !isBlank(block[at]); at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) return undefined;
    value = value * 8 + digit;
  }
  return value;
}

/** Two's complement, most significant byte first; the first bit is the mark, the second one the sign. */
function parseBase256(block: Uint8Array, start: number, end: number): number | undefined {
  const negative = ((block[start] ?? 0) & 0x40) !== 0;
  const invert = negative ? 0xff : 0;
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = (block[at] ?? 0) ^ invert;
    value = value * 256 + (at === start ? byte & 0x7f : byte);
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
  }
  if (!negative) return value;
  return value === Number.MAX_SAFE_INTEGER ? undefined : -value - 1;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

/** A count in a PAX record: decimal digits, at most 2^53-1. */
export function parseDecimal(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A time in a PAX record: seconds since 1970 with an optional sign and fraction. */
export function parseTime(text: string): number | undefined {
  // 64 characters hold 16 digits of seconds and far more fraction than any clock gives.
  if (text.length > 64 || !/^-?\d+(\.\d*)?$/.test(text)) return undefined;
  const value = Number(text);
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** Seconds as a PAX record has them: decimal, to the nanosecond, no trailing zeros. */
export function formatTime(seconds: number): string {
  if (Number.isInteger(seconds)) return BigInt(seconds).toString();
  return seconds.toFixed(9).replace(/\.?0+$/, '');
}
