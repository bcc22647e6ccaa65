import { mkdir, open, readFile, realpath, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isJsonObject, objectIn, parseRaw, withField } from '../../edit/json.ts';
import { OciTarError } from '../../errors.ts';
import { randomHex } from '../../runtime/node/builtins.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import type { JsonObject } from '../../spec/json.ts';
import type { Credential } from './credentials.ts';

/** docker's `config.json` or podman's `auth.json`, as it was read; what is not known here survives a change. */
export class CredentialFile {
  readonly path: string;
  readonly #document: JsonObject;

  private constructor(path: string, document: JsonObject) {
    this.path = path;
    this.#document = document;
  }

  /** A file that is not there is an empty one. INVALID_JSON and INVALID_MANIFEST for a damaged one. */
  static async read(path: string): Promise<CredentialFile> {
    const bytes = await readFile(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw mapErrno(error, path);
    });
    return new CredentialFile(path, bytes === undefined || bytes.byteLength === 0 ? {} : parseRaw(bytes, { subject: path }));
  }

  /** The helper's name for one server, or the one for all. */
  helperFor(keys: readonly string[]): string | undefined {
    const helpers = objectIn(this.#document, 'credHelpers');
    for (const key of keys) {
      const helper = Object.hasOwn(helpers, key) ? helpers[key] : undefined;
      if (typeof helper === 'string' && helper !== '') return helper;
    }
    const { credsStore } = this.#document;
    return typeof credsStore === 'string' && credsStore !== '' ? credsStore : undefined;
  }

  /** The first entry that one of the keys has: as it is written, or with a scheme and a path as old versions of docker wrote it. */
  find(keys: readonly string[]): Credential | undefined {
    const auths = objectIn(this.#document, 'auths');
    for (const key of keys) {
      const found = Object.hasOwn(auths, key) ? key : Object.keys(auths).find((listed) => bareKey(listed) === key);
      const entry = found === undefined ? undefined : auths[found];
      const credential = entry !== undefined && isJsonObject(entry) ? credentialOf(entry, this.path) : undefined;
      if (credential !== undefined) return credential;
    }
    return undefined;
  }

  /** The file with a credential more; in the clear, as docker keeps it without a helper. */
  with(key: string, credential: Credential): CredentialFile {
    const entry = credential.kind === 'password' ? { auth: encode(credential.username, credential.password) } : { auth: encode('<token>', ''), identitytoken: credential.token };
    return this.#withAuths({ ...objectIn(this.#document, 'auths'), [key]: entry });
  }

  /** The file without these keys; undefined where it had none of them. */
  without(keys: readonly string[]): CredentialFile | undefined {
    const auths = objectIn(this.#document, 'auths');
    const kept = Object.entries(auths).filter(([listed]) => !keys.includes(listed) && !keys.includes(bareKey(listed)));
    return kept.length === Object.keys(auths).length ? undefined : this.#withAuths(Object.fromEntries(kept));
  }

  /** Replaces the file whole, readable by its owner alone. A symbolic link stays and its target is what is written. */
  async write(): Promise<void> {
    const path = await realpath(this.path).catch(() => this.path);
    const temporary = `${path}.${randomHex(6)}.tmp`;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(this.#document, null, '\t')}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw mapErrno(error, path);
    }
  }

  #withAuths(auths: JsonObject): CredentialFile {
    return new CredentialFile(this.path, withField(this.#document, 'auths', auths));
  }
}

/** `https://host/v1/` is the host's. */
function bareKey(key: string): string {
  return /^https?:\/\//.test(key) ? key.replace(/^https?:\/\//, '').replace(/\/.*$/, '') : key;
}

function credentialOf(entry: JsonObject, path: string): Credential | undefined {
  const text = (field: string): string => {
    const value = entry[field];
    return typeof value === 'string' ? value : '';
  };
  if (text('identitytoken') !== '') return { kind: 'identity-token', token: text('identitytoken') };
  if (text('registrytoken') !== '') return { kind: 'bearer-token', token: text('registrytoken') };
  if (text('username') !== '') return { kind: 'password', username: text('username'), password: text('password') };
  if (text('auth') === '') return undefined;
  const [username, password] = divided(Buffer.from(text('auth'), 'base64').toString());
  if (password === undefined) throw new OciTarError('UNAUTHORIZED', `${path} has an entry that is not user:password in base64`, { subject: path, hint: 'Log in again.' });
  return { kind: 'password', username, password };
}

function divided(text: string): readonly [string, string | undefined] {
  const colon = text.indexOf(':');
  // Some versions of docker end it with NULs.
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
}

function encode(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}
