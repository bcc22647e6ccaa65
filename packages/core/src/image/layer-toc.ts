import { OciTarError, isOciTarError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { hasExactNames } from '../layer/find-in-toc.ts';
import { cleanName } from '../seekable/clean-name.ts';
import { openSeekable } from '../seekable/open.ts';
import type { OpenSeekableOptions, SeekableLayer } from '../seekable/open.ts';
import { tocDigestOf } from '../seekable/toc-digest.ts';
import { tocTarName } from '../seekable/toc.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { TarEntry } from '../tar/entry.ts';
import type { ImageLayer } from './layers.ts';

/**
 * What the manifest says of a layer's TOC: its digest (`incomplete`: but the TOC does not have one for every chunk), that of
 * another TOC, or nothing.
 */
export type TocVoucher = 'vouched' | 'incomplete' | 'differs' | 'none';

/** The TOC of a layer, and what stands behind it. */
export interface LayerToc {
  readonly layer: SeekableLayer;
  readonly voucher: TocVoucher;
  /** The digest that the manifest has for it. */
  readonly expected?: Digest;
}

/** A layer's description and its blob. */
type StoredLayer = Pick<ImageLayer, 'descriptor' | 'open'>;

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
    const expected = digestFor(descriptor);
    return expected === undefined ? { layer, voucher: 'none' } : { layer, voucher: voucherOf(layer, expected), expected };
  } catch (error) {
    // The layer is there, so what is not found is a TOC outside of it.
    if (isOciTarError(error, 'NOT_FOUND') || unreadable.some((code) => isOciTarError(error, code))) return undefined;
    throw error;
  }
}

/**
 * The TOC of a layer where the manifest vouches for it, so that it can be believed without the rest of the blob. Undefined too where it does not
 * have every name and every digest: such a layer is to be read whole. DIGEST_MISMATCH where the manifest has the digest of another TOC.
 */
export async function openVouchedToc(stored: StoredLayer, signal?: AbortSignal): Promise<SeekableLayer | undefined> {
  const expected = digestFor(stored.descriptor);
  if (expected === undefined) return undefined;
  const found = await openLayerToc(stored, signal === undefined ? {} : { signal });
  if (found === undefined) return undefined;
  const { layer, voucher } = found;
  if (voucher !== 'differs') return voucher === 'vouched' && hasExactNames(layer) ? layer : undefined;
  const { digest } = stored.descriptor;
  throw new OciTarError('DIGEST_MISMATCH', `the TOC of layer ${digest} is not what the manifest says: its digest is ${layer.tocDigest}, expected ${expected}`, {
    side: 'source',
    subject: digest,
    expected,
    actual: layer.tocDigest,
  });
}

/**
 * Whether an entry of the layer's tar is its TOC, which is no file of the layer for those who go by it: the reference keeps it there. Undefined where the manifest does not
 * vouch for one. It is read when an entry has its name, which none has in layers built here: the TOC of 400,000 files takes 400 MB. Errors as of `openVouchedToc`.
 */
export function tocInTar(stored: StoredLayer, signal?: AbortSignal): ((entry: TarEntry) => boolean | Promise<boolean>) | undefined {
  if (!hasVoucher(stored.descriptor)) return undefined;
  let isToc: Promise<boolean> | undefined;
  return ({ path }) => cleanName(path) === tocTarName && (isToc ??= openVouchedToc(stored, signal).then((layer) => layer !== undefined && layer.entry(tocTarName) === undefined));
}

/** Whether the manifest speaks of a TOC. */
export function hasVoucher(descriptor: Descriptor): boolean {
  return digestFor(descriptor) !== undefined;
}

/** By which digest the manifest vouches for the layer's TOC; undefined where it does not, or in words that cannot be understood. */
function digestFor({ annotations }: Descriptor): Digest | undefined {
  try {
    return tocDigestOf(annotations);
  } catch (error) {
    if (isOciTarError(error, 'INVALID_TOC') || isOciTarError(error, 'INVALID_DIGEST')) return undefined;
    throw error;
  }
}

function voucherOf(layer: SeekableLayer, expected: Digest): TocVoucher {
  try {
    layer.verifyToc(expected);
    return 'vouched';
  } catch (error) {
    if (isOciTarError(error, 'DIGEST_MISMATCH')) return 'differs';
    if (isOciTarError(error, 'INVALID_TOC')) return 'incomplete';
    throw error;
  }
}
