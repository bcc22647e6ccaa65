import { copyImage, memoryDriver } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { registryStore } from '../../packages/core/src/stores/registry/store.ts';
import type { CredentialStore, Credential } from '../../packages/core/src/stores/registry/credentials.ts';
import type { RegistryOptions } from '../../packages/core/src/stores/registry/options.ts';
import { addImages, memoryStore } from '../support/images.ts';
import type { ImageSpec } from '../support/images.ts';
import { RegistryServer } from '../support/registry-server.ts';
import type { RegistryServerOptions } from '../support/registry-server.ts';

export const imageName = 'docker.io/library/hello:1';

/** Runs work with a registry that is stopped in the end. */
export async function withRegistry<T>(options: RegistryServerOptions, work: (server: RegistryServer) => Promise<T>): Promise<T> {
  const server = await RegistryServer.start(options);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Nobody's credentials, no waiting for long, and nothing of this machine's configuration. */
export const plain: RegistryOptions = { credentials: keeping({}), timeout: 5_000, hostsDir: '/nonexistent' };

export function keeping(credentials: Readonly<Record<string, Credential>>): CredentialStore {
  return { find: async (registry) => credentials[registry], save: async () => '', remove: async () => [] };
}

/** An image of a store in memory, pushed to a repository of the server as `host/team/app:1`. */
export async function pushed(server: RegistryServer, spec: ImageSpec = {}): Promise<{ readonly source: ImageStore; readonly name: string }> {
  const source = memoryStore();
  await addImages(source, { name: imageName, ...spec });
  const name = `${server.host}/team/app:1`;
  await push(source, name);
  server.seen.length = 0;
  return { source, name };
}

export async function push(source: ImageStore, name: string, options: RegistryOptions = {}, reference = imageName): Promise<void> {
  const target = registryStore(name, { ...plain, ...options });
  try {
    await copyImage({ source, target, reference, name });
  } finally {
    await target.close();
  }
}

/** Pulls into a store in memory, a new one by default, and returns that. */
export async function pull(name: string, options: RegistryOptions = {}, target: ImageStore = memoryStore(memoryDriver())): Promise<ImageStore> {
  const source = registryStore(name, { ...plain, ...options });
  try {
    await copyImage({ source, target, reference: name, name: imageName, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  } finally {
    await source.close();
  }
  return target;
}

/** A layer that is larger than what goes in one request, and than what one read brings. */
export function largeText(mebibytes: number): string {
  return Array.from({ length: mebibytes * 8192 }, (_, line) => `line ${line} of a long text, `.padEnd(128, 'x')).join('');
}
