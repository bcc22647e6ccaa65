import { createHash } from 'node:crypto';

/** The digits of crypt(3), in their order. */
const digits = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const defaultRounds = 5000;
/** Fewer are no hindrance, says the method; more would keep this process busy for longer than a second. */
const leastRounds = 1000;
export const mostRounds = 500_000;

const methods = {
  5: { algorithm: 'sha256', length: 32, step: (a: number, b: number, c: number) => [c + 1, a + 1, b + 1] as const, third: [0, 10, 20] as const, rest: [31, 30], restDigits: 3 },
  6: { algorithm: 'sha512', length: 64, step: (a: number, b: number, c: number) => [b + 1, c + 1, a + 1] as const, third: [0, 21, 42] as const, rest: [63], restDigits: 2 },
} as const;

/** The parts of a password as crypt(3) keeps it, `$6$[rounds=N$]salt$…` or `$5$…`. */
export interface CryptForm {
  readonly method: 5 | 6;
  readonly rounds: number;
  readonly salt: string;
  /** What comes after the last `$`. */
  readonly encoded: string;
}

/** Reads what `openssl passwd -6` and `-5`, mkpasswd and htpasswd `-5` and `-2` write. Undefined for any other form. */
export function parseCrypt(text: string): CryptForm | undefined {
  const [, method, rounds, salt, encoded] = /^\$([56])\$(?:rounds=(\d{1,9})\$)?([^$:\n]{0,16})\$([./0-9A-Za-z]+)$/.exec(text) ?? [];
  if (salt === undefined || encoded === undefined || encoded.length !== (method === '6' ? 86 : 43)) return undefined;
  const count = rounds === undefined ? defaultRounds : Math.max(Number(rounds), leastRounds);
  return { method: method === '6' ? 6 : 5, rounds: count, salt, encoded };
}

/** The SHA-crypt method (crypt(5), "sha512crypt"), in the form that comes after the last `$`. Takes 5 to 20 ms with 5,000 rounds. */
export function shaCrypt(password: string, { method, rounds, salt }: Omit<CryptForm, 'encoded'>): string {
  const { algorithm, length } = methods[method];
  const digest = (...parts: readonly Uint8Array[]): Uint8Array => {
    const hash = createHash(algorithm);
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const [key, saltBytes] = [new TextEncoder().encode(password), new TextEncoder().encode(salt)];
  const stretched = (block: Uint8Array, size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => block[at % length] ?? 0);
  const inner = digest(key, saltBytes, key);
  const bits: Uint8Array[] = [];
  for (let left = key.byteLength; left > 0; left >>>= 1) bits.push((left & 1) === 1 ? inner : key);
  let current = digest(key, saltBytes, stretched(inner, key.byteLength), ...bits);
  const keySequence = stretched(digest(...Array.from({ length: key.byteLength }, () => key)), key.byteLength);
  const saltSequence = stretched(digest(...Array.from({ length: 16 + (current[0] ?? 0) }, () => saltBytes)), saltBytes.byteLength);
  for (let round = 0; round < rounds; round += 1) {
    const parts = [round % 2 === 1 ? keySequence : current];
    if (round % 3 !== 0) parts.push(saltSequence);
    if (round % 7 !== 0) parts.push(keySequence);
    parts.push(round % 2 === 1 ? current : keySequence);
    current = digest(...parts);
  }
  return encoded(current, method);
}

/** Three bytes are four digits, in the order of the method, which takes each byte from another third. */
function encoded(bytes: Uint8Array, method: 5 | 6): string {
  const { step, third, rest, restDigits, length } = methods[method];
  const digitsOf = (value: number, count: number): string => Array.from({ length: count }, (_, at) => digits[(value >>> (6 * at)) & 63]).join('');
  let text = '';
  let [a, b, c]: readonly [number, number, number] = third;
  for (let group = 0; group < Math.floor(length / 3); group += 1) {
    text += digitsOf(((bytes[a] ?? 0) << 16) | ((bytes[b] ?? 0) << 8) | (bytes[c] ?? 0), 4);
    [a, b, c] = step(a, b, c);
  }
  return text + digitsOf(rest.reduce((value, at) => (value << 8) | (bytes[at] ?? 0), 0), restDigits);
}
