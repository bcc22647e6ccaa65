import { OciTarError } from '../../errors.ts';
import { challengesIn } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { credentialStore } from './credentials.ts';
import type { Credential, CredentialStore } from './credentials.ts';
import type { RegistryOptions } from './options.ts';
import { basic, fetchToken, mayTrustRealm, realmOf } from './token.ts';
import type { Token } from './token.ts';
import type { HttpAnswer, Transport } from './transport.ts';

/** Renewed so long before its end, in milliseconds. */
const margin = 10_000;

/** Proves to one registry who we are: asks for nothing until it is challenged, and keeps what it got. */
export class Authenticator {
  readonly #registry: string;
  readonly #options: RegistryOptions;
  readonly #transport: Transport;
  readonly #tokens = new Map<string, Promise<Token>>();
  #challenge: Challenge | undefined;
  /** The scope that a 401 named, by ours: behind a path of its own a mirror has other repositories than the registry. */
  readonly #asked = new Map<string, string>();
  #credential: Promise<Credential | undefined> | undefined;
  /** A host whose token server was not shown the credentials. */
  #untrusted: string | undefined;

  constructor(registry: string, transport: Transport, options: RegistryOptions) {
    this.#registry = registry;
    this.#transport = transport;
    this.#options = options;
  }

  /** The header for these scopes (`repository:name:pull`); undefined while the registry has not asked for one. */
  async header(scopes: readonly string[], repository: string | undefined, signal?: AbortSignal): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const credential = await this.#credentialFor(repository);
    if (challenge.scheme === 'basic') return credential?.kind === 'password' ? basic(credential) : undefined;
    if (credential?.kind === 'bearer-token') return `Bearer ${credential.token}`;
    return `Bearer ${(await this.#token(challenge, scopes, credential, signal)).text}`;
  }

  /** Takes in what a 401 asks for; false where there is nothing more that could be shown. */
  learn(answer: HttpAnswer, scopes: readonly string[]): boolean {
    const challenges = challengesIn(answer.headers('www-authenticate'));
    const found = challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic');
    if (found === undefined) return false;
    this.#challenge = found;
    const { scope } = found.parameters;
    if (scope !== undefined) this.#asked.set(keyOf(scopes), scope);
    // What was shown was refused.
    this.#tokens.delete(keyOf(scopes));
    return true;
  }

  /** Says, beside what the registry answered, that credentials were kept back, and from whom. */
  explain(error: OciTarError): OciTarError {
    if (this.#untrusted === undefined || error.code !== 'UNAUTHORIZED') return error;
    return new OciTarError(error.code, `${error.message}; its tokens are given by ${this.#untrusted}, which was not shown your credentials`, {
      ...error.details,
      hint: `If that host may see them, add --token-host ${this.#untrusted}.`,
    });
  }

  #token(challenge: Challenge, scopes: readonly string[], credential: Credential | undefined, signal?: AbortSignal): Promise<Token> {
    const key = keyOf(scopes);
    const fetching = (this.#tokens.get(key) ?? this.#fetch(challenge, scopes, credential, signal)).then(async (token) => {
      if (token.expires - margin > Date.now()) return token;
      const renewed = this.#fetch(challenge, scopes, credential, signal);
      this.#tokens.set(key, renewed);
      return renewed;
    });
    this.#tokens.set(key, fetching);
    fetching.catch(() => this.#tokens.delete(key));
    return fetching;
  }

  async #fetch(challenge: Challenge, scopes: readonly string[], credential: Credential | undefined, signal?: AbortSignal): Promise<Token> {
    const realm = realmOf(challenge, this.#registry);
    const trusted = mayTrustRealm(realm, this.#registry, this.#options);
    if (!trusted && credential !== undefined) this.#untrusted = realm.host;
    const asked = (this.#asked.get(keyOf(scopes)) ?? '').split(' ').filter((scope) => scope !== '' && !scopes.some((own) => subjectOf(own) === subjectOf(scope)));
    return fetchToken(this.#transport, this.#registry, realm, challenge, [...scopes, ...asked], trusted ? credential : undefined, signal);
  }

  #credentialFor(repository: string | undefined): Promise<Credential | undefined> {
    this.#credential ??= (this.#options.credentials ?? ownCredentials(this.#options)).find(this.#registry, repository);
    return this.#credential;
  }
}

function ownCredentials({ env, authFile }: RegistryOptions): CredentialStore {
  return credentialStore({ ...(env === undefined ? {} : { env }), ...(authFile === undefined ? {} : { file: authFile }) });
}

/** A scope without what is to be done: `repository:team/app`. */
function subjectOf(scope: string): string {
  return scope.slice(0, scope.lastIndexOf(':'));
}

function keyOf(scopes: readonly string[]): string {
  return [...scopes].sort().join(' ');
}
