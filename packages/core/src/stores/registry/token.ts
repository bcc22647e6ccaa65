import { parseRaw } from '../../edit/json.ts';
import { OciTarError } from '../../errors.ts';
import type { JsonObject } from '../../spec/json.ts';
import type { Challenge } from './challenge.ts';
import type { Credential } from './credentials.ts';
import { hostnameOf, isLoopback, shownUrl } from './endpoint.ts';
import { answerFailure, failureLimit, passes } from './failure.ts';
import type { RegistryOptions } from './options.ts';
import { ConnectionError } from './transport.ts';
import type { HttpRequest, Transport } from './transport.ts';

/** An access token and when it ends. */
export interface Token {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** The least that a token lasts (distribution's token specification), in seconds. */
const shortest = 60;
const clientID = 'oci-tar';

/**
 * Whether the credentials of a registry may be shown to the host that it names for its tokens: the registry itself, a host below its
 * name, the host that its name is below, or one that the user has named. Over TLS, but on loopback, or where the user wants none.
 */
export function mayTrustRealm(realm: URL, registry: string, { tokenHosts = [], plainHttp = false }: Pick<RegistryOptions, 'tokenHosts' | 'plainHttp'> = {}): boolean {
  const [host, own] = [realm.hostname.toLowerCase(), hostnameOf(registry).toLowerCase()];
  const local = isLoopback(realm.host) && isLoopback(registry);
  if (realm.protocol !== 'https:' && !local && !(plainHttp && host === own)) return false;
  if (tokenHosts.some((name) => name.toLowerCase() === host || name.toLowerCase() === realm.host)) return true;
  return host === own || host.endsWith(`.${own}`) || (own.endsWith(`.${host}`) && host.includes('.')) || local;
}

/** The address of the token server that a challenge names. REGISTRY where it names none. */
export function realmOf({ parameters }: Challenge, registry: string): URL {
  const realm = parameters['realm'] ?? '';
  try {
    const url = new URL(realm);
    if (url.protocol === 'https:' || url.protocol === 'http:') return url;
  } catch {
    // Told below.
  }
  throw new OciTarError('REGISTRY', `${registry} names no server that gives tokens`, { subject: registry });
}

/** Gets an access token (distribution-spec's token authentication; OAuth 2 where there is an identity token). ConnectionError where there is none to be had. */
export async function fetchToken(transport: Transport, registry: string, realm: URL, challenge: Challenge, scopes: readonly string[], credential: Credential | undefined, signal?: AbortSignal): Promise<Token> {
  const service = challenge.parameters['service'];
  const request = credential?.kind === 'identity-token' ? exchange(realm, service, scopes, credential.token) : query(realm, service, scopes, credential);
  const answer = await transport.send({ ...request, signal });
  const body = await answer.text(failureLimit);
  if (answer.status !== 200) throw new ConnectionError(answerFailure(request.method, realm, answer.status, body, registry), passes(answer.status), false);
  const parsed = parseRaw(new TextEncoder().encode(body), { subject: `the token of ${shownUrl(realm)}` });
  const text = textIn(parsed, 'token') ?? textIn(parsed, 'access_token');
  // It becomes a header: no line may be added to that.
  if (text === undefined || !/^[\x21-\x7e]+$/.test(text)) throw new OciTarError('REGISTRY', `${shownUrl(realm)} gave no token`, { subject: shownUrl(realm) });
  const seconds = parsed['expires_in'];
  const lasts = typeof seconds === 'number' && seconds > 0 ? Math.max(seconds, shortest) : shortest;
  return { text, expires: Date.now() + lasts * 1000 };
}

function query(realm: URL, service: string | undefined, scopes: readonly string[], credential: Credential | undefined): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credential?.kind !== 'password') return { method: 'GET', url };
  url.searchParams.set('account', credential.username);
  return { method: 'GET', url, headers: { authorization: basic(credential) } };
}

function exchange(url: URL, service: string | undefined, scopes: readonly string[], token: string): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: clientID, refresh_token: token, ...(service === undefined ? {} : { service }) });
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return { method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new TextEncoder().encode(form.toString()) };
}

/** The header of basic authentication (RFC 7617). */
export function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function textIn(document: JsonObject, field: string): string | undefined {
  const value = document[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
