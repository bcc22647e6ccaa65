import { spawn } from 'node:child_process';
import { OciTarError } from '../../errors.ts';
import { isJsonObject, parseRaw } from '../../edit/json.ts';
import type { Credential } from './credentials.ts';

/** A user name by which helpers say that the secret is an identity token and no password. */
const tokenUser = '<token>';

/** What a helper may answer at most, in bytes. */
const answerLimit = 1024 * 1024;

/** A helper that asks the user something has time to be answered; one that hangs ends here, in milliseconds. */
const patience = 120_000;

/** A program that keeps secrets: `docker-credential-<name>`, spoken to over its standard input and output (docker-credential-helpers). */
export class CredentialHelper {
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;

  /** INVALID_ARGUMENT for a name that could lead to another program. */
  constructor(name: string, env: NodeJS.ProcessEnv = process.env) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(name)} is not the name of a credential helper`, { subject: name });
    this.#program = `docker-credential-${name}`;
    this.#env = env;
  }

  /** Undefined where the helper has nothing for this server. */
  async get(server: string): Promise<Credential | undefined> {
    const { status, text } = await this.#run('get', `${server}\n`);
    if (status !== 0) {
      if (/credentials not found/i.test(text)) return undefined;
      throw this.#failure('get', status);
    }
    const answer = parseRaw(new TextEncoder().encode(text), { subject: `the answer of ${this.#program}` });
    const { Username: username, Secret: secret } = isJsonObject(answer) ? answer : {};
    if (typeof username !== 'string' || typeof secret !== 'string') throw this.#failure('get', status);
    if (secret === '') return undefined;
    return username === tokenUser ? { kind: 'identity-token', token: secret } : { kind: 'password', username, password: secret };
  }

  async store(server: string, credential: Credential): Promise<void> {
    const [Username, Secret] = credential.kind === 'password' ? [credential.username, credential.password] : [tokenUser, credential.token];
    const { status } = await this.#run('store', JSON.stringify({ ServerURL: server, Username, Secret }));
    if (status !== 0) throw this.#failure('store', status);
  }

  /** False where there was nothing to erase. */
  async erase(server: string): Promise<boolean> {
    const known = (await this.get(server)) !== undefined;
    const { status, text } = await this.#run('erase', `${server}\n`);
    if (status !== 0 && !/credentials not found/i.test(text)) throw this.#failure('erase', status);
    return known;
  }

  /** The secret goes in and out by pipes only: arguments and environment can be seen by others. */
  #run(verb: string, input: string): Promise<{ readonly status: number | null; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#program, [verb], { stdio: ['pipe', 'pipe', 'ignore'], env: this.#env, timeout: patience, killSignal: 'SIGKILL' });
      const chunks: Buffer[] = [];
      let size = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size > answerLimit) child.kill('SIGKILL');
        else chunks.push(chunk);
      });
      child.on('error', (cause) => {
        reject(new OciTarError('UNAUTHORIZED', `the credential helper ${this.#program} cannot be run`, { subject: this.#program, cause, hint: 'Install it, or take it out of the docker configuration.' }));
      });
      child.on('close', (status) => resolve({ status, text: Buffer.concat(chunks).toString() }));
      // It may end without having read a word.
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }

  /** Without what the helper wrote: nobody knows what that is. */
  #failure(verb: string, status: number | null): OciTarError {
    return new OciTarError('UNAUTHORIZED', `the credential helper ${this.#program} ${verb} failed${status === null ? '' : ` with status ${status}`}`, { subject: this.#program });
  }
}
