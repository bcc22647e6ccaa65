import type { ByteSink } from '../bytes/types.ts';
import type { Codec } from '../compression/codec.ts';
import { OciTarError } from '../errors.ts';
import { makePlan } from '../image/make-plan.ts';
import { transfer } from '../image/push.ts';
import { asOwnImage } from '../image/referrers.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { archiveTarget } from '../stores/archive.ts';
import { referrersLeft, reportOf } from './options.ts';
import type { MoveOptions, MoveReport } from './options.ts';

export interface ExportRequest extends MoveOptions {
  readonly source: ImageStore;
  /** The images, each by its name in the source. */
  readonly references: readonly string[];
  /** A file, which appears whole or not at all, or any sink. */
  readonly output: string | ByteSink;
  /** Compresses the whole archive; not by default. */
  readonly compression?: Codec;
  readonly level?: number;
  /** Leaves docker's `manifest.json` out. */
  readonly skipManifestJson?: boolean;
}

/**
 * Writes images into one OCI archive, as `ctr images export` does, docker's manifest.json included. Only manifests are read
 * before the first byte is written; every blob is read once and verified while it passes. The same images give the same bytes.
 */
export async function exportImages(request: ExportRequest): Promise<MoveReport> {
  const { source, references, output } = request;
  const plan = await makePlan(source, await exportedImages(source, references), request);
  const left = await referrersLeft(source, plan, request);
  await transfer(plan, archiveTarget(output, request), request);
  return reportOf(plan, left);
}

/** The images that references mean, each once, in their order. INVALID_ARGUMENT when there is none; errors of `resolve`. */
export async function exportedImages(source: ImageStore, references: readonly string[]): Promise<readonly NamedImage[]> {
  if (references.length === 0) throw new OciTarError('INVALID_ARGUMENT', 'name at least one image to export');
  const images: NamedImage[] = [];
  for (const reference of references) {
    const image = asOwnImage(await source.resolve(reference));
    const twice = images.some(({ name, descriptor }) => name === image.name && descriptor.digest === image.descriptor.digest);
    if (!twice) images.push(image);
  }
  return images;
}
