import { digestStream, verified } from '../bytes/digest.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import type { Codec } from '../compression/codec.ts';
import { codecByName, codecForMediaType } from '../compression/codecs.ts';
import { openLayerToc } from '../image/layer-toc.ts';
import type { ImageLayer } from '../image/layers.ts';
import { buildSeekable } from '../seekable/build.ts';
import type { BuildOptions } from '../seekable/build.ts';
import type { Decompressor } from '../seekable/format.ts';
import { tocDigestOf } from '../seekable/toc-digest.ts';
import { verifySeekable } from '../seekable/verify-seekable.ts';
import type { Digest } from '../spec/digest.ts';

/** A layer in its new form, being written. */
export interface NewLayer {
  readonly blob: ByteStream;
  /** To be asked when the blob has been read to its end. */
  report(): NewLayerReport;
}

export interface NewLayerReport {
  readonly diffID: Digest;
  /** For the layer's descriptor. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** A blob that goes beside the layer: its TOC. */
  readonly externalToc?: Uint8Array;
  /** Prioritized files that the layer does not have. */
  readonly missing?: readonly string[];
}

/** A form that layers can be given. One is an object of this kind. */
export interface LayerForm {
  readonly name: string;
  readonly codec: Codec;
  /** Whether it says more of a layer than docker's media types can hold. */
  readonly annotated: boolean;
  /** Whether a layer has this form already. */
  isOf(layer: ImageLayer): boolean | Promise<boolean>;
  write(layer: ImageLayer): NewLayer;
  /** Reads a layer that was written, once more, and throws where it is not what the report says. */
  check(blob: ByteSource, report: NewLayerReport): Promise<void>;
}

/** Plain layers, or such that are compressed as a whole. The same codec and no level: they stay. */
export function compressedForm(codec: Codec, options: { readonly level?: number; readonly signal?: AbortSignal } = {}): LayerForm {
  const { level } = options;
  return {
    name: codec.name,
    codec,
    annotated: false,
    isOf: ({ descriptor }) => level === undefined && codecForMediaType(descriptor.mediaType) === codec,
    write: (layer) => ({ blob: codec.compress(layer.read(), level === undefined ? {} : { level }), report: () => ({ diffID: layer.diffID }) }),
    check: (blob, report) => checkDiffID(codec, blob, report),
  };
}

export interface SeekableFormOptions extends Omit<BuildOptions, 'prioritizedFiles'> {
  /** What the form is called: `estargz`. */
  readonly name: string;
  /** A layer is of the form already where it is annotated with this, and has the TOC that is vouched for. */
  readonly annotation: string;
  /** Reads the form, beside eStargz. */
  readonly decompressor?: (externalToc: Uint8Array | undefined) => Decompressor;
  readonly prioritizedFiles?: readonly string[];
  /** Writes layers anew that are of the form already. */
  readonly anew?: boolean;
}

/** Layers that can be read in pieces. */
export function seekableForm({ name, annotation, decompressor, anew = false, ...options }: SeekableFormOptions): LayerForm {
  const codec = codecByName((options.compressor?.suffix ?? '+gzip').slice(1));
  const reading = (externalToc: Uint8Array | undefined) => ({
    ...(decompressor === undefined ? {} : { decompressors: [decompressor(externalToc)] }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return {
    name,
    codec,
    annotated: true,
    async isOf(layer) {
      const { descriptor } = layer;
      if (anew || descriptor.annotations?.[annotation] === undefined || codecForMediaType(descriptor.mediaType) !== codec) return false;
      const toc = await openLayerToc(layer, reading(undefined));
      return toc?.voucher === 'vouched';
    },
    write(layer) {
      // A file may be in any layer: which ones are in none is told for the whole image.
      const build = buildSeekable(layer.read(), { ...options, missingPrioritized: 'report' });
      return {
        blob: build.blob,
        report: () => {
          const { diffID, annotations, externalToc, missingPrioritized } = build.report();
          return { diffID, annotations, missing: missingPrioritized, ...(externalToc === undefined ? {} : { externalToc }) };
        },
      };
    },
    async check(blob, report) {
      const tocDigest = tocDigestOf(report.annotations);
      await verifySeekable(blob, {
        diffID: report.diffID,
        ...(tocDigest === undefined ? {} : { tocDigest }),
        ...reading(report.externalToc),
      });
    },
  };
}

async function checkDiffID(codec: Codec, blob: ByteSource, { diffID }: NewLayerReport): Promise<void> {
  await digestStream(verified(codec.decompress(blob.read()), { digest: diffID }, 'a converted layer, unpacked,'));
}
