import type { ImageStore } from '../image/store.ts';
import { basicCredentials } from './auth.ts';
import { Documents } from './documents.ts';
import { Holds } from './holds.ts';
import { catalogResponse } from './listing.ts';
import { ClientGone, bytesResponse, jsonResponse } from './message.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import { Metrics } from './metrics.ts';
import { defaultServeLimits } from './options.ts';
import type { ServeLimits, ServeOptions } from './options.ts';
import { Pulls } from './pulls.ts';
import { BlobPushes } from './push-blobs.ts';
import type { PushTarget } from './push-blobs.ts';
import { ManifestPushes } from './push-manifests.ts';
import type { Before } from './push-manifests.ts';
import { Refusal, refuse, refusalOf } from './refusal.ts';
import { Removals } from './removal.ts';
import { parseTarget } from './route.ts';
import type { Route, Target } from './route.ts';
import { Soundness } from './soundness.ts';
import { Uploads } from './uploads.ts';

interface Shared {
  readonly documents: Documents;
  readonly soundness: Soundness;
  readonly holds: Holds;
}

interface Writing {
  readonly uploads: Uploads;
  readonly holds: Holds;
  readonly blobs: BlobPushes;
  readonly manifests: ManifestPushes;
  readonly removals: Removals;
}

/** A registry (OCI distribution-spec 1.1) over places where images live, without any network: requests in, answers out. */
export class RegistryHandler {
  readonly metrics = new Metrics();
  /** Open connections, told by whoever has them. */
  connections = 0;
  readonly #options: ServeOptions;
  readonly #limits: ServeLimits;
  readonly #pulls: Pulls;
  readonly #writing: Writing | undefined;
  readonly #log: (line: string) => void;
  /** Changes of what is listed come one after the other: each looks at what is there first. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: ServeOptions) {
    const { places, writable, onLog = () => {}, now = () => performance.now() } = options;
    this.#options = options;
    this.#limits = { ...defaultServeLimits, ...options.limits };
    this.#log = onLog;
    const shared: Shared = {
      documents: new Documents(this.#limits.manifestSize),
      soundness: new Soundness({ now, onLog, onVerified: (sound) => this.metrics.verified(sound) }),
      holds: new Holds(this.#limits.uploadAge, now),
    };
    this.#pulls = new Pulls({ ...shared, places, writable, limits: this.#limits, onLog });
    this.#writing = writable === undefined ? undefined : this.#writingTo(writable, shared, now);
  }

  /** Never throws. What the answer hands out is verified; its body has to be read to its end or given up. */
  async handle(request: ServeRequest): Promise<ServeResponse> {
    let route = 'other';
    let user: string | undefined;
    try {
      user = await this.#authenticated(request);
      const target = parseTarget(request.target);
      route = target.route.kind;
      checkOrigin(request);
      return this.#finished(request, { ...(await this.#answer(request, target)), route, ...(user === undefined ? {} : { user }) });
    } catch (error) {
      const refusal = refusalOf(error);
      if (!(error instanceof Refusal || error instanceof ClientGone)) this.#log(`${request.method} ${route}: ${error instanceof Error ? error.message : String(error)}`);
      return this.#finished(request, { ...refusal.response(), route, ...(user === undefined ? {} : { user }) });
    }
  }

  /** Gives up what clients have left. To be called now and then. */
  async sweep(): Promise<void> {
    await this.#writing?.uploads.sweep();
    await this.#writing?.holds.sweep();
  }

  /** Gives up what is under way. The places stay open: they are their owner's. */
  async close(): Promise<void> {
    await this.#writing?.uploads.close();
    await this.#writing?.holds.close();
  }

  /** How many repositories can be asked for. */
  async count(): Promise<number> {
    return (await this.#pulls.current()).names().length;
  }

  #finished(request: ServeRequest, { headers, ...response }: ServeResponse): ServeResponse {
    const { body: _body, ...head } = response;
    // docker asks for this on its first request.
    const all = { 'docker-distribution-api-version': 'registry/2.0', ...headers };
    return request.method === 'HEAD' ? { ...head, headers: all } : { ...response, headers: all };
  }

  async #authenticated({ headers }: ServeRequest): Promise<string | undefined> {
    const { auth } = this.#options;
    if (auth === undefined) return undefined;
    const given = basicCredentials(headers['authorization']);
    if (given !== undefined && (await auth.check(given.user, given.password))) return given.user;
    throw new Refusal(401, 'UNAUTHORIZED', given === undefined ? 'a name and a password are needed' : 'wrong name or password', { 'www-authenticate': 'Basic realm="oci-tar", charset="UTF-8"' });
  }

  async #answer(request: ServeRequest, { route, query }: Target): Promise<ServeResponse> {
    const reading = request.method === 'GET' || request.method === 'HEAD';
    if (route.kind === 'root') return reading ? jsonResponse(200, {}) : refuseMethod('GET, HEAD');
    if (route.kind === 'metrics') return this.#metricsText(reading);
    const view = await this.#pulls.current();
    if (route.kind === 'catalog') return reading ? catalogResponse(view.names(), query, this.#limits.page) : refuseMethod('GET, HEAD');
    const to = { name: route.name, key: view.resolve(route.name, query.get('ns')) };
    if (route.kind === 'uploads') return this.#upload(request, route, to, query);
    if (request.method === 'PUT' && route.kind === 'manifests') return this.#changing((before, { manifests }) => manifests.put(request, to, route.reference, before), to);
    if (request.method === 'DELETE') return this.#delete(route, to);
    if (!reading) return refuseMethod('GET, HEAD, PUT, DELETE');
    return this.#pulls.read(request, route, to.key, query, view);
  }

  async #upload(request: ServeRequest, { id }: { readonly id?: string }, to: PushTarget, query: ReadonlyMap<string, string>): Promise<ServeResponse> {
    const { blobs } = this.#writing ?? refuse(readOnly());
    if (id === undefined) return request.method === 'POST' ? blobs.begin(request, to, query) : refuseMethod('POST');
    if (request.method === 'GET' || request.method === 'HEAD') return blobs.status(to, id);
    if (request.method === 'PATCH') return blobs.chunk(request, to, id);
    if (request.method === 'PUT') return blobs.finish(request, to, id, query);
    if (request.method === 'DELETE') return blobs.cancel(to, id);
    return refuseMethod('GET, HEAD, PATCH, PUT, DELETE');
  }

  #delete(route: Route, to: PushTarget): Promise<ServeResponse> | ServeResponse {
    if (route.kind !== 'manifests' && route.kind !== 'blobs') return refuseMethod('GET, HEAD');
    if (this.#writing !== undefined && this.#options.allowDelete !== true) throw new Refusal(405, 'UNSUPPORTED', 'nothing can be deleted from this registry');
    return this.#changing((before, { removals }) => {
      if (route.kind === 'blobs') return removals.blob(to.key, route.digest, before);
      return typeof route.reference === 'string' ? removals.manifest(to.key, route.reference, before) : removals.tag(to.key, route.reference.tag, before);
    }, to);
  }

  /** Runs a change of what is listed, after those that came before. */
  #changing(work: (before: Before, writing: Writing) => Promise<ServeResponse>, { key }: PushTarget): Promise<ServeResponse> {
    const writing = this.#writing ?? refuse(readOnly());
    const change = this.#changes.then(async () => {
      const repository = (await this.#pulls.current()).get(key);
      return work({ repository, contents: this.#pulls.contentsOf(repository) }, writing);
    });
    this.#changes = change.catch(() => {});
    return change;
  }

  #metricsText(reading: boolean): ServeResponse {
    if (this.#options.metrics !== true) throw new Refusal(404, 'UNSUPPORTED', 'there is nothing at this address');
    if (!reading) return refuseMethod('GET, HEAD');
    const text = this.metrics.text({ uploads: this.#writing?.uploads.count ?? 0, connections: this.connections });
    return bytesResponse(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, new TextEncoder().encode(text));
  }

  #writingTo(store: ImageStore, shared: Shared, now: () => number): Writing {
    const uploads = new Uploads(store, this.#limits, now);
    return {
      uploads,
      holds: shared.holds,
      blobs: new BlobPushes({ ...shared, store, uploads, find: (digest, from) => this.#pulls.mountable(digest, from) }),
      manifests: new ManifestPushes({ ...shared, store, limit: this.#limits.manifestSize }),
      removals: new Removals(store, shared.holds),
    };
  }
}

/** No client of a registry is a web page: one that a browser lets write here is none of ours. */
function checkOrigin({ method, headers }: ServeRequest): void {
  if (headers['origin'] !== undefined && method !== 'GET' && method !== 'HEAD') throw new Refusal(403, 'DENIED', 'web pages do not push to this registry');
}

function refuseMethod(allowed: string): never {
  throw new Refusal(405, 'UNSUPPORTED', `this address takes ${allowed}`, { allow: allowed });
}

function readOnly(): Refusal {
  return new Refusal(405, 'UNSUPPORTED', 'this registry is only read', { allow: 'GET, HEAD' });
}
