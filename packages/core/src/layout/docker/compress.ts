import { verified } from '../../bytes/digest.ts';
import { digestBytes } from '../../bytes/digest.ts';
import { bytesSource } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { gzip } from '../../compression/gzip.ts';
import { OciTarError } from '../../errors.ts';
import { openBlob, readDocument } from '../../image/read.ts';
import type { ImageStore, NamedImage, WriteSession } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { stringifyJson } from '../../spec/json.ts';
import type { JsonLimits } from '../../spec/limits.ts';
import type { Manifest } from '../../spec/manifest.ts';
import { mediaTypes } from '../../spec/media-type.ts';

export interface CompressOptions {
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

export interface Compressed {
  readonly source: ImageStore;
  readonly images: readonly NamedImage[];
}

/**
 * The same images with their plain layers compressed with gzip, staged in the session that they go into. The config, and
 * with it the image ID, stays; the digests of layers and manifest change. The same layer gives the same bytes. Each plain
 * layer is verified while it is compressed. UNSUPPORTED where the session cannot stage.
 */
export async function withGzipLayers(source: ImageStore, images: readonly NamedImage[], session: WriteSession, options: CompressOptions = {}): Promise<Compressed> {
  const compression = new Compression(source, session, options);
  const edited: NamedImage[] = [];
  for (const image of images) edited.push({ ...image, descriptor: await compression.manifest(image.descriptor) });
  return { source: compression.store(), images: edited };
}

class Compression {
  readonly #source: ImageStore;
  readonly #session: WriteSession;
  readonly #options: CompressOptions;
  readonly #layers = new Map<Digest, Descriptor>();
  readonly #blobs = new Map<Digest, ByteSource>();

  constructor(source: ImageStore, session: WriteSession, options: CompressOptions) {
    this.#source = source;
    this.#session = session;
    this.#options = options;
  }

  async manifest(descriptor: Descriptor): Promise<Descriptor> {
    const document = await readDocument(this.#source, descriptor, this.#options.limits);
    if (document?.kind !== 'manifest' || !document.manifest.layers.some(isPlain)) return descriptor;
    const layers: Descriptor[] = [];
    for (const layer of document.manifest.layers) layers.push(isPlain(layer) ? await this.#layer(layer) : layer);
    const manifest: Manifest = { ...document.manifest, layers };
    const bytes = stringifyJson(manifest);
    const digest = await digestBytes(bytes);
    this.#blobs.set(digest, bytesSource(bytes));
    return { ...descriptor, digest, size: bytes.byteLength };
  }

  async #layer(layer: Descriptor): Promise<Descriptor> {
    const known = this.#layers.get(layer.digest);
    if (known !== undefined) return known;
    const { stage } = this.#session;
    if (stage === undefined) throw new OciTarError('UNSUPPORTED', 'the target cannot take layers that are compressed on their way', { side: 'target' });
    const bytes = verified((await openBlob(this.#source, layer)).read(), layer);
    const staged = await stage.call(this.#session, gzip.compress(stoppable(bytes, this.#options.signal)));
    const made = { mediaType: mediaTypes.layerGzip, digest: staged.digest, size: staged.size };
    this.#blobs.set(staged.digest, staged.source());
    this.#layers.set(layer.digest, made);
    return made;
  }

  store(): ImageStore {
    const source = this.#source;
    return {
      name: source.name,
      images: () => source.images(),
      resolve: (reference) => source.resolve(reference),
      open: async (blob) => this.#blobs.get(blob.digest) ?? source.open(blob),
      close: () => source.close(),
    };
  }
}

function isPlain({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.layer;
}

async function* stoppable(bytes: ByteStream, signal: AbortSignal | undefined): ByteStream {
  for await (const chunk of bytes) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
