import { homedir } from 'node:os';
import { join } from 'node:path';
import { OciTarError } from '../../errors.ts';
import { CredentialFile } from './credential-file.ts';
import { CredentialHelper } from './credential-helper.ts';

/** What one proves to a registry who one is with. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** Exchanged for an access token at the registry's token server (OAuth 2 refresh token). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** Sent to the registry as it is. */
  | { readonly kind: 'bearer-token'; readonly token: string };

/** Where credentials are kept: the files of docker and podman, and the helpers that these name. */
export interface CredentialStore {
  /** The credential for a repository on a registry. Undefined where there is none: then one goes as nobody. */
  find(registry: string, repository?: string): Promise<Credential | undefined>;
  /** Keeps it where docker would: in a helper where one is set, else in the file. Returns where. */
  save(registry: string, credential: Credential): Promise<string>;
  /** Returns the places where there was something to remove. */
  remove(registry: string): Promise<readonly string[]>;
}

export interface CredentialOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** One file instead of those that are looked for. */
  readonly file?: string;
}

/** The name under which docker keeps the credentials of Docker Hub. */
const hubKey = 'https://index.docker.io/v1/';
const hubNames = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/**
 * The credentials that docker and podman know: `REGISTRY_AUTH_FILE` alone where it is set, else docker's `config.json`
 * (`DOCKER_CONFIG`, `~/.docker`), then podman's `auth.json` (`XDG_RUNTIME_DIR`, else `/run/containers/<uid>`; `~/.config`).
 */
export function credentialStore(options: CredentialOptions = {}): CredentialStore {
  const { env = process.env } = options;
  const paths = options.file === undefined ? credentialPaths(env) : [options.file];
  return {
    async find(registry, repository) {
      const keys = keysFor(registry, repository);
      for (const path of paths) {
        const file = await CredentialFile.read(path);
        const helper = file.helperFor(keys);
        const found = helper === undefined ? undefined : await new CredentialHelper(helper, env).get(serverOf(registry));
        const credential = found ?? file.find(keys);
        if (credential !== undefined) return credential;
      }
      return undefined;
    },
    async save(registry, credential) {
      const [path] = paths;
      if (path === undefined) throw new OciTarError('INVALID_ARGUMENT', 'there is no file to keep credentials in');
      const file = await CredentialFile.read(path);
      const helper = file.helperFor(keysFor(registry));
      if (helper !== undefined) {
        await new CredentialHelper(helper, env).store(serverOf(registry), credential);
        return `docker-credential-${helper}`;
      }
      await file.with(serverOf(registry), credential).write();
      return path;
    },
    async remove(registry) {
      const keys = keysFor(registry);
      const removed: string[] = [];
      for (const path of paths) {
        const file = await CredentialFile.read(path);
        const helper = file.helperFor(keys);
        if (helper !== undefined && (await new CredentialHelper(helper, env).erase(serverOf(registry)))) removed.push(`docker-credential-${helper}`);
        const rest = file.without(keys);
        if (rest === undefined) continue;
        await rest.write();
        removed.push(path);
      }
      return removed;
    },
  };
}

/** The files that are read, in their order; what is saved goes into the first. */
export function credentialPaths(env: NodeJS.ProcessEnv): readonly string[] {
  const alone = env['REGISTRY_AUTH_FILE'];
  if (alone) return [alone];
  const home = env['HOME'] || homedir();
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'),
    // Where podman writes for root, and wherever else there is no session.
    runtime ? join(runtime, 'containers', 'auth.json') : `/run/containers/${process.getuid?.() ?? 0}/auth.json`,
    join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers', 'auth.json'),
  ];
}

/** What a registry's entry may be called, the most precise first: podman knows entries for a part of a registry. */
function keysFor(registry: string, repository = ''): readonly string[] {
  const names = hubNames.includes(registry) ? [hubKey, ...hubNames] : [registry];
  const parts = repository === '' ? [] : repository.split('/');
  const parents = parts.map((_, count) => parts.slice(0, parts.length - count).join('/'));
  return [...parents.flatMap((path) => names.map((name) => `${name}/${path}`)), ...names];
}

function serverOf(registry: string): string {
  return hubNames.includes(registry) ? hubKey : registry;
}
