import { Verifier } from '../bytes/digest.ts';
import { abortable } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import { seekableTarView, tarLayerView } from '../layer/find-in-tar.ts';
import { tocLayerView } from '../layer/find-in-toc.ts';
import { followPath } from '../layer/find-path.ts';
import { findInLayers } from '../layer/find.ts';
import type { LayerFinding, LayerView, LayeredEntry } from '../layer/find.ts';
import { textOfPath } from '../layer/path.ts';
import type { SeekableLayer } from '../seekable/open.ts';
import { layerCompression } from '../spec/media-type.ts';
import { hasVoucher, openVouchedToc } from './layer-toc.ts';
import type { ImageLayer, OpenedImage } from './layers.ts';

export interface FindOptions {
  /**
   * Whether a layer is verified before anything in it is believed; true by default. It is then read once to its end, and again up to the
   * file, but where the manifest vouches for its TOC. Otherwise nothing is read beyond the file, and of several entries of one path in one layer,
   * which the image-spec forbids, the first is taken in place of the last.
   */
  readonly verify?: boolean;
  readonly signal?: AbortSignal;
}

/** A file of an image, found and about to be read. */
export interface FoundFile extends LayeredEntry {
  /** Position of its layer in the image, the base being 0. */
  readonly layer: number;
  /** Gives the file up where it is not read to its end. */
  close(): Promise<void>;
}

/**
 * Finds one file of an image as a container would: symlinks lead on inside the image, hardlinks to the file that they are.
 * Layers are searched topmost first, no further than it takes; those below the one that has the file are not opened.
 * NOT_FOUND, naming what is near; INVALID_ARGUMENT for what is no file; INVALID_TAR for a hardlink to nothing; a damaged layer is told
 * before anything in it is believed.
 */
export async function findFile(image: OpenedImage, path: string, options: FindOptions = {}): Promise<FoundFile> {
  const views = image.layers.toReversed().map((layer) => layerView(layer, options));
  const close = async () => {
    for (const view of views) await view.close();
  };
  try {
    const { path: found, entry } = await followPath(path, (wanted) => findInLayers(views, wanted));
    if (entry === undefined || entry.type === 'directory') throw new OciTarError('INVALID_ARGUMENT', `${named(found)} is a directory`, { subject: path });
    if (entry.type === 'hardlink') {
      throw new OciTarError('INVALID_TAR', `${named(found)} is a hardlink to ${named(entry.linkname)}, which is in no layer`, { side: 'source', subject: path });
    }
    if (entry.type !== 'file') throw new OciTarError('INVALID_ARGUMENT', `${named(found)} is no file but ${entry.type === 'other' ? 'of a kind that is not known' : `a ${entry.type}`}`, { subject: path });
    return { ...entry, path: found, layer: views.length - 1 - entry.layer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function named(path: string): string {
  return JSON.stringify(`/${textOfPath(path)}`);
}

/**
 * A layer to look for paths in. Where the manifest vouches for its TOC, that is read, and the chunks of what is found; they are verified one by one.
 * Any other is verified by the first search. Of a layer that is not compressed, which is hashed first, only headers are read then, and the bytes
 * of what is found.
 */
export function layerView(layer: ImageLayer, options: FindOptions = {}): LayerView {
  return hasVoucher(layer.descriptor) ? new VouchedView(layer, options) : wholeView(layer, options);
}

/** By its TOC; as a whole where that turns out not to do. */
class VouchedView implements LayerView {
  readonly #layer: ImageLayer;
  readonly #options: FindOptions;
  #view: Promise<LayerView> | undefined;

  constructor(layer: ImageLayer, options: FindOptions) {
    this.#layer = layer;
    this.#options = options;
  }

  async lookup(...search: Parameters<LayerView['lookup']>): Promise<LayerFinding> {
    return (await (this.#view ??= this.#open())).lookup(...search);
  }

  async close(): Promise<void> {
    const view = await this.#view?.catch(() => undefined);
    await view?.close();
  }

  async #open(): Promise<LayerView> {
    const { signal } = this.#options;
    const toc: SeekableLayer | undefined = await openVouchedToc(this.#layer, signal);
    return toc === undefined ? wholeView(this.#layer, this.#options) : tocLayerView(async () => toc, signal);
  }
}

function wholeView(layer: ImageLayer, { verify = true, signal }: FindOptions): LayerView {
  let checked: Promise<void> | undefined;
  const vouchedFor = async () => {
    if (verify) await (checked ??= check(layer, signal));
  };
  if (layerCompression(layer.descriptor.mediaType) === 'none') {
    const open = async () => {
      await vouchedFor();
      return layer.open();
    };
    return seekableTarView(open, { last: verify, signal });
  }
  let isVerified = !verify;
  // The first search reads to the end of the layer, so that this is all it takes to verify it.
  const read = async function* (): ByteStream {
    yield* abortable(isVerified ? layer.readUnverified() : layer.read(), signal);
    isVerified = true;
  };
  return tarLayerView(read, { last: verify });
}

async function check({ descriptor, open }: ImageLayer, signal: AbortSignal | undefined): Promise<void> {
  const verifier = new Verifier(descriptor);
  try {
    const bytes: ByteStream = (await open()).read();
    for await (const run of abortable(bytes, signal)) await verifier.update(run);
    await verifier.finish();
  } finally {
    verifier.dispose();
  }
}
