import * as v from 'valibot';
import type { Digest } from './digest.ts';
import type { JsonOptions } from './json.ts';
import type { Platform } from './platform.ts';
import { check, digest, flag, looseFields, parseObject, text, textMap, texts } from './schema.ts';

/** What an image is and how it is run (image-spec, config.md). */
export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly variant?: string;
  readonly config?: RuntimeConfig;
  readonly rootfs: RootFS;
  readonly history?: readonly History[];
}

/** The defaults of a container of the image. */
export interface RuntimeConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  /** `NAME=value`. */
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, unknown>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
}

export interface RootFS {
  readonly type: 'layers';
  /** Digests of the uncompressed layers, the base first. */
  readonly diff_ids: readonly Digest[];
}

export interface History {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  /** Whether the step made no layer. */
  readonly empty_layer?: boolean;
}

const set = v.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);

const runtimeSchema: v.GenericSchema<unknown, RuntimeConfig> = looseFields({
  User: v.exactOptional(text),
  ExposedPorts: v.exactOptional(set),
  Env: v.exactOptional(texts),
  Entrypoint: v.exactOptional(texts),
  Cmd: v.exactOptional(texts),
  Volumes: v.exactOptional(set),
  WorkingDir: v.exactOptional(text),
  Labels: v.exactOptional(textMap),
  StopSignal: v.exactOptional(text),
});

const rootfsSchema: v.GenericSchema<unknown, RootFS> = v.pipe(
  looseFields({ type: v.literal('layers', 'must be "layers"'), diff_ids: v.exactOptional(v.array(digest, 'must be an array')) }),
  // docker leaves the list out where it is empty.
  v.transform((rootfs) => ({ ...rootfs, diff_ids: rootfs.diff_ids ?? [] })),
);

const historySchema: v.GenericSchema<unknown, History> = looseFields({
  created: v.exactOptional(text),
  created_by: v.exactOptional(text),
  author: v.exactOptional(text),
  comment: v.exactOptional(text),
  empty_layer: v.exactOptional(flag),
});

export const configSchema: v.GenericSchema<unknown, ImageConfig> = looseFields({
  created: v.exactOptional(text),
  author: v.exactOptional(text),
  architecture: text,
  os: text,
  'os.version': v.exactOptional(text),
  'os.features': v.exactOptional(texts),
  variant: v.exactOptional(text),
  config: v.exactOptional(runtimeSchema),
  rootfs: rootfsSchema,
  history: v.exactOptional(v.array(historySchema, 'must be an array')),
});

/**
 * Parses an image's configuration (image-spec, config.md): `architecture`, `os` and `rootfs` are required, optional fields may be
 * null and are then left out, unknown fields survive. INVALID_JSON, LIMIT_EXCEEDED, INVALID_MANIFEST.
 */
export function parseConfig(bytes: Uint8Array, options: JsonOptions = {}): ImageConfig {
  const where = options.subject ?? 'the config';
  return check(configSchema, parseObject(bytes, options, where), where);
}

/** Seconds since 1970 as RFC 3339, as the dates of a configuration are written. */
export function formatDate(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** The platform that a configuration states; empty fields are left out. */
export function platformOf(config: ImageConfig): Platform {
  return {
    architecture: config.architecture,
    os: config.os,
    ...(config['os.version'] ? { 'os.version': config['os.version'] } : {}),
    ...(config['os.features']?.length ? { 'os.features': config['os.features'] } : {}),
    ...(config.variant ? { variant: config.variant } : {}),
  };
}
