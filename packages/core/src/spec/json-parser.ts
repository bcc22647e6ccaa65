import { OciTarError } from '../errors.ts';
import type { ErrorCode, ErrorDetails } from '../errors.ts';
import { jsonPath, shownKey } from './json-path.ts';
import type { JsonValue } from './json.ts';
import type { JsonLimits } from './limits.ts';

/** Each level is two calls; 1000 stay far below what the smallest stacks hold. */
const deepest = 1000;

/** More different keys than a table of contents has. */
const mostKeys = 100;

const quote = 0x22;
const backslash = 0x5c;

const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/**
 * A parser of its own in place of `JSON.parse`, which keeps the last of two equal keys and rounds numbers without a word;
 * and which cannot say where it stopped.
 */
export class JsonParser {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #subject: string | undefined;
  readonly #path: (string | number)[] = [];
  /** The key that came after a key the last time. */
  readonly #following = new Map<string, string>();
  #at = 0;

  constructor(text: string, limits: JsonLimits, subject: string | undefined) {
    this.#text = text;
    this.#maxDepth = Math.min(limits.depth, deepest);
    this.#subject = subject;
  }

  document(): JsonValue {
    this.#space();
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) this.#unexpected('the end');
    return value;
  }

  #value(): JsonValue {
    switch (this.#text.charCodeAt(this.#at)) {
      case quote:
        return this.#string();
      case 0x7b:
        return this.#object();
      case 0x5b:
        return this.#array();
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JsonValue {
    this.#enter();
    const object: Record<string, JsonValue> = {};
    let previous = '';
    if (!this.#take(0x7d)) {
      do {
        this.#space();
        const start = this.#at;
        if (this.#text.charCodeAt(start) !== quote) this.#unexpected('a key');
        const key = this.#key(previous);
        previous = key;
        if (Object.hasOwn(object, key)) this.#fail(`has the key ${shownKey(key)} twice in ${this.#place()}`, start);
        this.#path.push(key);
        if (!this.#take(0x3a)) this.#unexpected('":"');
        this.#space();
        const value = this.#value();
        this.#path.pop();
        if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
        else object[key] = value;
      } while (this.#take(0x2c));
      if (!this.#take(0x7d)) this.#unexpected('"," or "}"');
    }
    return object;
  }

  #array(): JsonValue {
    this.#enter();
    const array: JsonValue[] = [];
    if (!this.#take(0x5d)) {
      do {
        this.#space();
        this.#path.push(array.length);
        array.push(this.#value());
        this.#path.pop();
      } while (this.#take(0x2c));
      if (!this.#take(0x5d)) this.#unexpected('"," or "]"');
    }
    return array;
  }

  /** Steps over an opening bracket. The path holds one part for each object and array around it. */
  #enter(): void {
    if (this.#path.length >= this.#maxDepth) {
      this.#throw('LIMIT_EXCEEDED', `is nested deeper than the limit of ${this.#maxDepth}`, this.#at, { limit: this.#maxDepth });
    }
    this.#at += 1;
  }

  /** The key whose opening quote is next. Mostly it is the one that came after `previous` the last time: then no string has to be made and looked up. */
  #key(previous: string): string {
    const start = this.#at;
    const likely = this.#following.get(previous);
    if (likely !== undefined && this.#text.startsWith(likely, start + 1) && this.#text.charCodeAt(start + 1 + likely.length) === quote) {
      this.#at = start + likely.length + 2;
      return likely;
    }
    const key = this.#string();
    // One that has escapes is longer in the text, and may itself have a backslash or a quote.
    if (this.#at - start === key.length + 2 && (likely !== undefined || this.#following.size < mostKeys)) this.#following.set(previous, key);
    return key;
  }

  /** The string whose opening quote is next. */
  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let end = start;
    for (;;) {
      const code = text.charCodeAt(end);
      if (code === quote) break;
      if (code === backslash) return this.#escapedString(start, end);
      // Past the end the code is NaN, for which this holds too.
      if (!(code >= 0x20)) this.#badCharacter(end);
      end += 1;
    }
    this.#at = end + 1;
    return text.slice(start, end);
  }

  #escapedString(start: number, firstEscape: number): string {
    const text = this.#text;
    const parts = [text.slice(start, firstEscape)];
    let at = firstEscape;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === quote) break;
      if (code === backslash) {
        const letter = text.charAt(at + 1);
        if (letter === 'u') {
          const length = this.#unicodeLength(at);
          parts.push(decodeUnicode(text, at, length));
          at += length;
        } else {
          const meaning = escapes[letter];
          if (meaning === undefined) this.#fail('has an unknown escape in a string', at);
          parts.push(meaning);
          at += 2;
        }
        continue;
      }
      const run = at;
      while (text.charCodeAt(at) >= 0x20 && text.charCodeAt(at) !== quote && text.charCodeAt(at) !== backslash) at += 1;
      if (at === run) this.#badCharacter(at);
      parts.push(text.slice(run, at));
    }
    this.#at = at + 1;
    return parts.join('');
  }

  /** Length of the escape at an offset: 6, or 12 for a surrogate pair. */
  #unicodeLength(at: number): number {
    const unit = hexUnit(this.#text, at);
    if (unit === undefined) this.#fail('has an escape without four hex digits', at);
    if (unit < 0xd800 || unit > 0xdfff) return 6;
    const low = hexUnit(this.#text, at + 6);
    if (unit > 0xdbff || low === undefined || low < 0xdc00 || low > 0xdfff) this.#fail('has an unpaired surrogate in a string', at);
    return 12;
  }

  #number(): number {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    if (text.charCodeAt(at) === 0x2d) at += 1;
    const first = at;
    at = digits(text, at);
    if (at === first) this.#unexpected('a value');
    if (at - first > 1 && text.charCodeAt(first) === 0x30) this.#fail('has a number with a leading zero', start);
    if (text.charCodeAt(at) === 0x2e) {
      const fraction = at + 1;
      at = digits(text, fraction);
      if (at === fraction) this.#fail('has a number without digits after the point', start);
    }
    const letter = text.charCodeAt(at);
    if (letter === 0x65 || letter === 0x45) {
      at += 1;
      const sign = text.charCodeAt(at);
      if (sign === 0x2b || sign === 0x2d) at += 1;
      const exponent = at;
      at = digits(text, exponent);
      if (at === exponent) this.#fail('has a number without digits in its exponent', start);
    }
    const value = Number(text.slice(start, at));
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
      this.#fail(`has a number beyond 2^53 - 1, which readers round differently, in ${this.#place()}`, start);
    }
    this.#at = at;
    return value;
  }

  #word<V>(word: string, value: V): V {
    if (!this.#text.startsWith(word, this.#at)) this.#unexpected('a value');
    this.#at += word.length;
    return value;
  }

  #space(): void {
    const text = this.#text;
    let at = this.#at;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      at += 1;
    }
    this.#at = at;
  }

  /** Steps over a character, and space before it, if it is next. */
  #take(code: number): boolean {
    this.#space();
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at += 1;
    return true;
  }

  #badCharacter(at: number): never {
    this.#fail(at < this.#text.length ? 'has a control character in a string' : 'ends inside a string', at);
  }

  #unexpected(wanted: string): never {
    if (this.#at >= this.#text.length) this.#fail(`ends where ${wanted} should be, in ${this.#place()}`, this.#at);
    const code = this.#text.codePointAt(this.#at) ?? 0;
    this.#fail(`has ${JSON.stringify(String.fromCodePoint(code))} where ${wanted} should be, in ${this.#place()}`, this.#at);
  }

  #fail(problem: string, at: number): never {
    this.#throw('INVALID_JSON', problem, at);
  }

  #throw(code: ErrorCode, problem: string, at: number, details: ErrorDetails = {}): never {
    const offset = new TextEncoder().encode(this.#text.slice(0, at)).length;
    throw new OciTarError(code, `${this.#subject ?? 'JSON'} ${problem} (byte ${offset})`, {
      ...details,
      ...(this.#subject === undefined ? {} : { subject: this.#subject }),
      offset,
    });
  }

  #place(): string {
    return jsonPath(this.#path);
  }
}

function digits(text: string, start: number): number {
  let at = start;
  for (;;) {
    const code = text.charCodeAt(at);
    if (!(code >= 0x30 && code <= 0x39)) return at;
    at += 1;
  }
}

/** The UTF-16 unit of `\uXXXX` at an offset; undefined where there is none. */
function hexUnit(text: string, at: number): number | undefined {
  const escape = text.slice(at, at + 6);
  return /^\\u[0-9a-fA-F]{4}$/.test(escape) ? Number.parseInt(escape.slice(2), 16) : undefined;
}

function decodeUnicode(text: string, at: number, length: number): string {
  let decoded = '';
  for (let unit = at; unit < at + length; unit += 6) decoded += String.fromCharCode(hexUnit(text, unit) ?? 0);
  return decoded;
}
