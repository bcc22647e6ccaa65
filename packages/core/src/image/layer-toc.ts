import { OciTarError, isOciTarError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { hasExactNames } from '../layer/find-in-toc.ts';
import { openSeekable } from '../seekable/open.ts';
import type { OpenSeekableOptions, SeekableLayer } from '../seekable/open.ts';
import { tocDigestAnnotation } from '../seekable/toc.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageLayer } from './layers.ts';

/** What stands behind the TOC of a layer. */
export type TocVoucher =
  /** The manifest has the TOC's digest. */
  | { readonly kind: 'vouched'; readonly annotation: string }
  /** The manifest has the digest of another TOC. */
  | { readonly kind: 'differs'; readonly annotation: string; readonly expected: string }
  /** The manifest says nothing of a TOC. */
  | { readonly kind: 'none' };

/** The TOC of a layer, and how far it is to be believed. */
export interface LayerToc {
  readonly layer: SeekableLayer;
  readonly voucher: TocVoucher;
}

/** A layer's description and its blob. */
type StoredLayer = Pick<ImageLayer, 'descriptor' | 'open'>;

/** Annotations of a layer's descriptor that have the digest of its TOC. */
const tocAnnotations: readonly string[] = [tocDigestAnnotation];

/** What a layer ends with that has no TOC here, or none that all readers would read alike. */
const unreadable: readonly ErrorCode[] = ['INVALID_TOC', 'INVALID_JSON', 'INVALID_COMPRESSION', 'LIMIT_EXCEEDED', 'UNSUPPORTED'];

/**
 * Opens a layer by its TOC, vouched for or not, in at most two reads. Undefined where it has none that can be read: a plain layer, one whose TOC is
 * elsewhere or broken. Errors are those of the store.
 */
export async function openLayerToc({ descriptor, open }: StoredLayer, options: OpenSeekableOptions = {}): Promise<LayerToc | undefined> {
  const blob = await open();
  try {
    const layer = await openSeekable(blob, options);
    return { layer, voucher: voucherOf(descriptor, layer) };
  } catch (error) {
    if (unreadable.some((code) => isOciTarError(error, code)) || isExternal(error)) return undefined;
    throw error;
  }
}

/**
 * The TOC of a layer where the manifest vouches for it, so that it can be believed without the rest of the blob. Undefined too where it does not
 * have every name and every digest: such a layer is to be read whole. DIGEST_MISMATCH where the manifest has the digest of another TOC.
 */
export async function openVouchedToc(stored: StoredLayer, signal?: AbortSignal): Promise<SeekableLayer | undefined> {
  if (!hasVoucher(stored.descriptor)) return undefined;
  const found = await openLayerToc(stored, signal === undefined ? {} : { signal });
  if (found === undefined) return undefined;
  const { layer, voucher } = found;
  if (voucher.kind === 'differs') {
    const { digest } = stored.descriptor;
    throw new OciTarError('DIGEST_MISMATCH', `the TOC of layer ${digest} is not what the manifest says: its digest is ${layer.tocDigest}, expected ${voucher.expected}`, {
      side: 'source',
      subject: digest,
      expected: voucher.expected,
      actual: layer.tocDigest,
    });
  }
  return voucher.kind === 'vouched' && hasExactNames(layer) && hasDigests(layer) ? layer : undefined;
}

/** Whether the manifest says anything of a TOC. */
export function hasVoucher({ annotations = {} }: Descriptor): boolean {
  return tocAnnotations.some((annotation) => annotations[annotation] !== undefined);
}

function voucherOf({ annotations = {} }: Descriptor, { tocDigest }: SeekableLayer): TocVoucher {
  const said = tocAnnotations.filter((annotation) => annotations[annotation] !== undefined);
  const right = said.find((annotation) => annotations[annotation] === tocDigest);
  if (right !== undefined) return { kind: 'vouched', annotation: right };
  const [annotation] = said;
  return annotation === undefined ? { kind: 'none' } : { kind: 'differs', annotation, expected: annotations[annotation] ?? '' };
}

function hasDigests(layer: SeekableLayer): boolean {
  try {
    layer.verifiers();
    return true;
  } catch (error) {
    if (isOciTarError(error, 'INVALID_TOC')) return false;
    throw error;
  }
}

/** The store has the layer, so what is not found is a TOC outside of it. */
function isExternal(error: unknown): boolean {
  return isOciTarError(error, 'NOT_FOUND');
}
