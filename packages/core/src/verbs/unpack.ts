import { writeTree } from '#runtime/write-tree';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import { tocInTar } from '../image/layer-toc.ts';
import { openImage } from '../image/layers.ts';
import type { ImageLayer, OpenedImage } from '../image/layers.ts';
import { watchedStore } from '../image/overlay.ts';
import type { ImageStore } from '../image/store.ts';
import type { ReadableLayer } from '../layer/input.ts';
import { mergedEntries } from '../layer/merged-entries.ts';
import { defaultWriteLimits } from '../runtime/tree-writer.ts';
import type { WriteLimits, WriteReport, WriteTreeOptions } from '../runtime/tree-writer.ts';
import { imageOf } from './image-request.ts';
import type { ImageRequest } from './image-request.ts';

export interface UnpackRequest extends ImageRequest, Pick<WriteTreeOptions, 'rootless' | 'handles'> {
  /** Where to: not there, or an empty directory. */
  readonly directory: string;
  /** `size`, of all files and of all layers, unpacked: by default 200 times the size of the layers as they are stored, and 1 GiB at least. */
  readonly writeLimits?: Partial<WriteLimits>;
  /** A path that one layer has twice: an error (INVALID_TAR, default), or the last entry counts, for which each layer is read twice. */
  readonly duplicates?: 'error' | 'last';
  /** Told of the bytes of layers, as they are stored, that will be read. */
  readonly onTotal?: (total: number) => void;
  /** Told of those bytes as they are read. */
  readonly onBytes?: (count: number) => void;
}

export interface UnpackReport extends WriteReport {
  readonly image: OpenedImage;
}

/** What layers may unpack to, in multiples of their size: real ones are below 20, gzip goes to 1032, zstd beyond 10,000. */
const highestRatio = 200;
const leastSize = 2 ** 30;

/**
 * Writes the root filesystem of an image as a new directory. It gets its name when every layer has been read to its end and is what the
 * manifest and the config say (digest, size, diffID), and all files are written; before that nothing is seen of it, and after an error or an
 * abort nothing is left. Errors as those of `writeTree`, of opening an image, and of reading layers: DIGEST_MISMATCH, INVALID_TAR and so on.
 */
export async function unpackImage(request: UnpackRequest): Promise<UnpackReport> {
  const { directory, signal, rootless, handles, writeLimits = {}, duplicates = 'error' } = request;
  const reading = new Reading(request);
  const { descriptor } = await imageOf(request);
  // Once more, so that it is read through what counts.
  const image = await openImage(reading.watched(request.source), descriptor, request.limits === undefined ? {} : { limits: request.limits });
  const stored = image.layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
  const twice = duplicates === 'last';
  request.onTotal?.(twice ? 2 * stored : stored);
  const size = Math.max(leastSize, highestRatio * stored);
  const limits = { ...defaultWriteLimits, size, fileSize: writeLimits.size ?? size, ...writeLimits };
  // Once each where that will do: it is faster, and what is written is what was verified. What is hidden by a layer above waits on disk.
  const layers = image.layers
    .toReversed()
    .map((layer): ReadableLayer => ({ read: () => reading.plain(layer, twice ? 2 * limits.size : limits.size), isPlain: true, once: !twice, isHidden: tocInTar(layer, signal) }));
  const merged = mergedEntries(layers, {
    duplicates,
    limits: { entries: limits.entries, spoolBytes: limits.size },
    sparse: { sizeLimit: limits.fileSize },
    ...(signal === undefined ? {} : { signal }),
  });
  const report = await writeTree(merged, directory, {
    limits,
    ...(rootless === undefined ? {} : { rootless }),
    ...(handles === undefined ? {} : { handles }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...report, image };
}

/** Tells how far the reading of layers is, and holds all that comes out of them to a limit. */
class Reading {
  readonly #onBytes: ((count: number) => void) | undefined;
  #unpacked = 0;
  #counting = false;

  constructor({ onBytes }: UnpackRequest) {
    this.#onBytes = onBytes;
  }

  /** The same store, whose blobs are counted while a layer is read. */
  watched(store: ImageStore): ImageStore {
    return watchedStore(store, (count) => {
      if (this.#counting) this.#onBytes?.(count);
    });
  }

  /** The plain tar of a layer. LIMIT_EXCEEDED where all that were read together are too large. */
  async *plain(layer: ImageLayer, limit: number): ByteStream {
    this.#counting = true;
    for await (const run of layer.read()) {
      this.#unpacked += run.byteLength;
      if (this.#unpacked > limit) throw tooLarge(layer, limit);
      yield run;
    }
  }
}

function tooLarge({ descriptor }: ImageLayer, limit: number): OciTarError {
  const message = `the layers unpack to more than ${limit} bytes, in layer ${descriptor.digest}`;
  return new OciTarError('LIMIT_EXCEEDED', message, { limit, subject: descriptor.digest, hint: 'Raise the limit if this image is to be trusted.' });
}
