import type { JsonLimits } from '../../spec/limits.ts';

/** How a docker engine is found and spoken to. */
export interface DockerEngineOptions {
  /** `unix://PATH` or `tcp://HOST:PORT`; by default what the environment and docker's own configuration say (see `engineAddress`). */
  readonly host?: string;
  /** A context of docker's, instead of the current one. */
  readonly context?: string;
  /** Milliseconds without an answer until TIMEOUT, of calls that are answered at once; 60,000 by default. */
  readonly timeout?: number;
  /** The same of calls that take work of the engine's before its first byte: saving and loading images; 900,000 by default. */
  readonly workTimeout?: number;
  /** For `manifest.json` and configs. */
  readonly limits?: JsonLimits;
  /** Told what takes time. */
  readonly onNote?: (note: string) => void;
  /** Told what the engine says while it loads an image. */
  readonly onLoad?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Where DOCKER_HOST and its like are looked up; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A line of the engine's progress. */
export interface LoadProgress {
  /** What it says: `Loading layer`, `Loaded image: hello:1`. */
  readonly status: string;
  /** Which layer, shortened as the engine does. */
  readonly id?: string;
  /** Bytes of it so far. */
  readonly current?: number;
  readonly total?: number;
}

export const defaultTimeout = 60_000;
export const defaultWorkTimeout = 900_000;
