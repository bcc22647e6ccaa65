import { OciTarError } from '../../errors.ts';
import { repositoryOf } from '../../spec/reference.ts';
import type { Reference } from '../../spec/reference.ts';
import { RegistryClient, isOtherwhere } from './client.ts';
import type { RegistryRequest } from './client.ts';
import { endpointsOf } from './hosts.ts';
import type { RegistryOptions } from './options.ts';
import type { HttpAnswer } from './transport.ts';

export type Access = 'pull' | 'push';

/** The servers of one registry, mirrors first. */
export class RegistryHosts {
  readonly registry: string;
  readonly #options: RegistryOptions;
  #clients: Promise<readonly RegistryClient[]> | undefined;

  constructor(registry: string, options: RegistryOptions) {
    this.registry = registry;
    this.#options = options;
  }

  async clients(): Promise<readonly RegistryClient[]> {
    this.#clients ??= endpointsOf(this.registry, this.#options).then((endpoints) => endpoints.map((endpoint) => new RegistryClient(endpoint.mirrorOf === undefined ? this.registry : endpoint.base.host, endpoint, this.#options)));
    return this.#clients;
  }

  /** The one that is the registry itself; its mirrors have credentials of their own, and other repositories. */
  async own(): Promise<RegistryClient | undefined> {
    const clients = await this.clients();
    return clients.find(({ endpoint }) => endpoint.mirrorOf === undefined) ?? clients.at(-1);
  }

  async close(): Promise<void> {
    for (const client of (await this.#clients?.catch(() => [])) ?? []) await client.close();
  }
}

/** One repository of a registry: requests below `/v2/<name>/`, with what they have to be allowed. */
export class Repository {
  readonly path: string;
  /** Registry and path: `docker.io/library/hello`. */
  readonly name: string;
  readonly #hosts: RegistryHosts;

  constructor(hosts: RegistryHosts, reference: Pick<Reference, 'domain' | 'path'>) {
    this.#hosts = hosts;
    this.path = reference.path;
    this.name = repositoryOf(reference);
  }

  get registry(): string {
    return this.#hosts.registry;
  }

  /** A reading request, asked of one endpoint after the other until one can answer; the last one's error is thrown. */
  async read(kind: 'resolve' | 'pull', request: Omit<RegistryRequest, 'scopes' | 'repository'>): Promise<HttpAnswer> {
    let failure: unknown;
    const able = (await this.#hosts.clients()).filter(({ endpoint }) => (kind === 'resolve' ? endpoint.canResolve : endpoint.canPull));
    for (const client of able) {
      const { mirrorOf } = client.endpoint;
      // That one does not have it says nothing while there is another to ask.
      const { expect = [] } = client === able.at(-1) ? request : {};
      try {
        return await client.request({ ...request, expect, path: this.#path(request.path, mirrorOf), scopes: this.scopes('pull'), repository: this.path, ...(mirrorOf === undefined ? {} : { retries: 1 }) });
      } catch (error) {
        if (!isOtherwhere(error)) throw error;
        failure = error;
      }
    }
    throw failure ?? new OciTarError('UNSUPPORTED', `no host of ${this.registry} can be read`, { subject: this.registry });
  }

  /** A writing request, or one that follows from it, at the endpoint that takes them. */
  async write(request: Omit<RegistryRequest, 'scopes' | 'repository'> & { readonly from?: string }): Promise<HttpAnswer> {
    const client = (await this.#hosts.clients()).find(({ endpoint }) => endpoint.canPush);
    if (client === undefined) throw new OciTarError('READ_ONLY', `no host of ${this.registry} can be written`, { side: 'target', subject: this.registry });
    const { from, ...rest } = request;
    return client.request({ ...rest, path: this.#path(request.path, undefined), scopes: this.scopes('push', from), repository: this.path });
  }

  scopes(access: Access, from?: string): readonly string[] {
    const own = `repository:${this.path}:${access === 'push' ? 'pull,push' : 'pull'}`;
    return from === undefined ? [own] : [own, `repository:${from}:pull`];
  }

  #path(path: string | URL, mirrorOf: string | undefined): string | URL {
    if (typeof path !== 'string') return path;
    const separator = path.includes('?') ? '&' : '?';
    return `${this.path}/${path}${mirrorOf === undefined ? '' : `${separator}ns=${encodeURIComponent(mirrorOf)}`}`;
  }
}
