import { digestBytes } from '../bytes/digest.ts';
import { bytesSource } from '../bytes/source.ts';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import { beginOn } from '../image/push.ts';
import type { Content, ContentRole } from '../image/plan.ts';
import type { ImageStore, NamedImage, WriteSession } from '../image/store.ts';
import type { Annotations } from '../spec/annotation.ts';
import { formatDate } from '../spec/config.ts';
import type { History, ImageConfig, RuntimeConfig } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { stringifyJson } from '../spec/json.ts';
import { mediaTypes } from '../spec/media-type.ts';
import type { Platform } from '../spec/platform.ts';
import { normalizeName } from '../spec/reference.ts';
import { buildLayer } from './build-layer.ts';
import type { LayerOptions } from './build-layer.ts';

export interface CreateRequest extends LayerOptions {
  readonly target: ImageStore;
  readonly name: string;
  /** Directories and tar archives (plain, gzip or zstd), by their paths, or streams that are such archives; the lowest layer first. */
  readonly layers: readonly (string | ByteStream)[];
  readonly platform: Platform;
  readonly config?: RuntimeConfig;
  /** Of the manifest. */
  readonly annotations?: Annotations;
  readonly author?: string;
  /** Seconds since 1970: the image's creation, and the latest time that a file of a directory may have. 0 by default. */
  readonly created?: number;
}

/**
 * Makes an image from directories and tars, one layer each, and gives it a name. The same files give the same image: entries
 * are sorted, owned by 0:0 and no younger than `created`.
 */
export async function createImage(request: CreateRequest): Promise<NamedImage> {
  const name = normalizeName(request.name);
  const session = await beginOn(request.target, undefined, request.signal);
  try {
    const layers: { readonly descriptor: Descriptor; readonly diffID: Digest }[] = [];
    for (const input of request.layers) layers.push(await addLayer(session, input, request));
    const config = await addJson(session, mediaTypes.config, 'config', configOf(request, layers));
    const manifest = await addJson(session, mediaTypes.manifest, 'manifest', {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: config.descriptor,
      layers: layers.map((layer) => layer.descriptor),
      ...(request.annotations === undefined ? {} : { annotations: request.annotations }),
    });
    await session.name(name, manifest);
    await session.end();
    return { name, descriptor: manifest.descriptor };
  } catch (error) {
    await session.abort(error);
    throw error;
  }
}

async function addLayer(session: WriteSession, input: string | ByteStream, request: CreateRequest): Promise<{ readonly descriptor: Descriptor; readonly diffID: Digest }> {
  const stage = session.stage?.bind(session);
  if (stage === undefined) throw new OciTarError('UNSUPPORTED', `${request.target.name} cannot be built in`, { side: 'target', hint: 'Create the image in a store and copy it.' });
  const { blob, diffID, codec } = await buildLayer(stage, input, request);
  const descriptor = { mediaType: mediaTypes.layer + codec.suffix, digest: blob.digest, size: blob.size };
  await session.push(content(descriptor, 'layer', 0, () => blob.source().read()));
  return { descriptor, diffID };
}

function configOf(request: CreateRequest, layers: readonly { readonly diffID: Digest }[]): ImageConfig {
  const created = formatDate(request.created ?? 0);
  const { platform, config = {}, author } = request;
  const history: readonly History[] = layers.map(() => ({ created, created_by: 'oci-tar create' }));
  const { architecture, os, variant } = platform;
  return {
    created,
    ...(author === undefined ? {} : { author }),
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    ...(platform['os.version'] === undefined ? {} : { 'os.version': platform['os.version'] }),
    config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffID) },
    history,
  };
}

async function addJson(session: WriteSession, mediaType: string, role: ContentRole, value: object): Promise<Content> {
  const bytes = stringifyJson(value);
  const made = content({ mediaType, digest: await digestBytes(bytes), size: bytes.byteLength }, role, role === 'manifest' ? 1 : 0, () => bytesSource(bytes).read());
  await session.push(made);
  return made;
}

function content(descriptor: Descriptor, role: ContentRole, height: number, read: () => ByteStream): Content {
  return { descriptor, role, height, origins: [], read };
}
