import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { OciTarError } from '../errors.ts';
import { mostRounds, parseCrypt, shaCrypt } from './crypt.ts';
import type { CryptForm } from './crypt.ts';
import { Refusal } from './refusal.ts';

/** Says who may come in. */
export interface Authenticator {
  check(user: string, password: string): Promise<boolean>;
}

const longestFile = 1024 * 1024;
/** Longer passwords only cost time: crypt(3) of glibc takes 256 bytes. */
const longestPassword = 256;
/** Passwords that wait to be checked, which takes 10 ms of the processor for each. */
const mostWaiting = 32;
const mostRemembered = 1000;

const formHint = 'Write a line for each user: name, a colon, and what `openssl passwd -6` prints.';

/**
 * Reads the lines `user:$6$…` of a password file, as `openssl passwd -6` (or `htpasswd -5`) writes them; empty ones and those that begin with
 * `#` are passed over. INVALID_ARGUMENT, with the number of the line and never its content.
 */
export function passwordFile(text: string, subject = 'the password file'): Authenticator {
  const users = new Map<string, CryptForm>();
  if (text.length > longestFile) throw new OciTarError('INVALID_ARGUMENT', `${subject} is longer than ${longestFile} characters`, { subject, limit: longestFile });
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const form = parseCrypt(line.slice(colon + 1).trim());
    const where = `${subject}, line ${at + 1}`;
    if (colon < 1) throw new OciTarError('INVALID_ARGUMENT', `${where}: there is no user before a colon`, { subject, hint: formHint });
    if (form === undefined) throw new OciTarError('INVALID_ARGUMENT', `${where}: ${kindOf(line.slice(colon + 1))}`, { subject, hint: formHint });
    if (form.rounds > mostRounds) throw new OciTarError('INVALID_ARGUMENT', `${where}: more than ${mostRounds} rounds`, { subject, limit: mostRounds });
    users.set(line.slice(0, colon), form);
  }
  if (users.size === 0) throw new OciTarError('INVALID_ARGUMENT', `${subject} has no users`, { subject, hint: formHint });
  return new PasswordUsers(users);
}

class PasswordUsers implements Authenticator {
  readonly #users: ReadonlyMap<string, CryptForm>;
  /** Of passwords that were right: a pull asks a hundred times. Keyed, so that what is kept is of no use elsewhere. */
  readonly #right = new Set<string>();
  readonly #secret = randomBytes(32);
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(users: ReadonlyMap<string, CryptForm>) {
    this.#users = users;
  }

  async check(user: string, password: string): Promise<boolean> {
    if (new TextEncoder().encode(password).byteLength > longestPassword) return false;
    const form = this.#users.get(user);
    const mark = createHmac('sha256', this.#secret).update(JSON.stringify([user, password])).digest('hex');
    if (form !== undefined && this.#right.has(mark)) return true;
    if (this.#waiting >= mostWaiting) throw new Refusal(429, 'TOOMANYREQUESTS', 'too many passwords are waiting to be checked', { 'retry-after': '1' });
    this.#waiting += 1;
    // One at a time, with room for other requests between: a wrong password must not cost more than a right one gains.
    const checked = this.#last.then(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return this.#isRight(form, password);
    });
    this.#last = checked;
    try {
      const right = await checked;
      if (right && this.#right.size < mostRemembered) this.#right.add(mark);
      return right;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** An unknown user takes as long as a known one. */
  #isRight(form: CryptForm | undefined, password: string): boolean {
    const [any] = this.#users.values();
    const checked = form ?? any;
    if (checked === undefined) return false;
    const [given, kept] = [shaCrypt(password, checked), checked.encoded].map((text) => new TextEncoder().encode(text));
    return given !== undefined && kept !== undefined && timingSafeEqual(given, kept) && form !== undefined;
  }
}

function kindOf(text: string): string {
  if (/^\$2[abxy]?\$/.test(text)) return 'the password is kept with bcrypt, which is not known here';
  return text === '' ? 'the password is missing' : 'the password is not kept in the form of SHA-crypt';
}

/** Name and password of a request (RFC 7617); undefined where there are none. */
export function basicCredentials(header: string | undefined): { readonly user: string; readonly password: string } | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/]{1,8192}={0,2})\s*$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = new TextDecoder().decode(Uint8Array.from(atobOf(encoded), (character) => character.charCodeAt(0)));
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function atobOf(encoded: string): string {
  try {
    return atob(encoded);
  } catch {
    return '';
  }
}
