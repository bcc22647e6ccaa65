import type { CredentialStore } from './credentials.ts';

/** How registries are spoken to. */
export interface RegistryOptions {
  /** Where credentials are kept; docker's and podman's files and helpers by default. */
  readonly credentials?: CredentialStore;
  /** One file of credentials instead of these. */
  readonly authFile?: string;
  /** True: HTTP without TLS. By default HTTPS, and on loopback whichever is there. */
  readonly plainHttp?: boolean;
  /** A folder with `*.crt` (authorities) and `*.cert` with `*.key` (a client's), as docker's `certs.d/<host>`. */
  readonly certDir?: string;
  /** A file of more authorities, in PEM. */
  readonly caFile?: string;
  /** The folder with a `<host>/hosts.toml` for each registry, as containerd's `config_path`; /etc/containerd/certs.d and /etc/docker/certs.d by default. */
  readonly hostsDir?: string;
  /** Hosts beside the registry's own that may be shown its credentials to get a token. */
  readonly tokenHosts?: readonly string[];
  /** Connections to one registry; 6 by default. */
  readonly connections?: number;
  /** How often a request that failed for a passing reason is sent again; 4 by default. */
  readonly retries?: number;
  /** Milliseconds without a byte until TIMEOUT; 60,000 by default. */
  readonly timeout?: number;
  /** The most bytes of a manifest, 4 MiB by default. */
  readonly manifestLimit?: number;
  /** Told what a registry says to people (`Warning` headers), once each. */
  readonly onWarning?: (text: string) => void;
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

export const defaultTimeout = 60_000;
export const defaultRetries = 4;
export const defaultConnections = 6;
