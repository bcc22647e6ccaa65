import type { Authenticator } from './auth.ts';
import type { RegistryHandler } from './handler.ts';
import type { ServeOptions } from './options.ts';
import type { ListenOptions, RunningServer } from './server.ts';

/**
 * Serves archives, directories and stores, unpacked nowhere, as a registry (OCI distribution-spec 1.1): `docker pull` and every other client
 * can pull from it, and push to it where one of the places is `writable`. Resolves when it listens. INVALID_ARGUMENT for an address that is
 * none or a certificate that is not sound, CONFLICT for an address that is taken, FORBIDDEN.
 */
export async function serveRegistry(options: ListenOptions): Promise<RunningServer> {
  // node:http takes longer to load than most commands take in all.
  const { startServer } = await import('./server.ts');
  return startServer(options);
}

/** The same without a network: requests in, answers out. */
export async function registryHandler(options: ServeOptions): Promise<RegistryHandler> {
  const { RegistryHandler } = await import('./handler.ts');
  return new RegistryHandler(options);
}

/**
 * Who may come in, from lines `user:$6$…` as `openssl passwd -6` writes them. INVALID_ARGUMENT with the number of the line that makes no
 * sense, and never its content.
 */
export async function readPasswords(text: string, subject?: string): Promise<Authenticator> {
  const { passwordFile } = await import('./auth.ts');
  return passwordFile(text, subject);
}

export { accessLine } from './metrics.ts';
