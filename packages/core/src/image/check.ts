import { OciTarError } from '../errors.ts';
import { parseConfig } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { isConfigType, isLayerType, layerCompression } from '../spec/media-type.ts';
import type { Plan } from './plan.ts';
import { readBlob, readDocument } from './read.ts';

/**
 * Reads the configs of a plan's images, before anything moves: one that is no config, or has not one diffID for each layer,
 * makes an image that nobody can unpack. INVALID_MANIFEST, INVALID_JSON. DIGEST_MISMATCH for a plain layer whose
 * digest is not its diffID. What a compressed layer unpacks to is left to `verifyImages`, as it takes far longer than an import.
 */
export async function checkConfigs(plan: Plan, limits: JsonLimits = defaultLimits): Promise<void> {
  for (const { descriptor, role, origins } of plan.contents.values()) {
    const [source] = origins;
    if (role !== 'manifest' || source === undefined) continue;
    const document = await readDocument(source, descriptor, limits);
    if (document?.kind !== 'manifest') continue;
    const { config, layers } = document.manifest;
    if (!isConfigType(config.mediaType) || !layers.every((layer) => isLayerType(layer.mediaType))) continue;
    const subject = `config ${config.digest}`;
    const { rootfs } = parseConfig(await readBlob(source, config, limits.bytes), { limits, subject });
    if (rootfs.diff_ids.length === layers.length) {
      checkPlainLayers(layers, rootfs.diff_ids);
      continue;
    }
    throw new OciTarError('INVALID_MANIFEST', `manifest ${descriptor.digest} has ${layers.length} layers, its config ${rootfs.diff_ids.length} diffIDs`, {
      side: 'source',
      subject: descriptor.digest,
      expected: layers.length,
      actual: rootfs.diff_ids.length,
    });
  }
}

/** A layer that is not compressed is its own diffID. */
function checkPlainLayers(layers: readonly Descriptor[], diffIDs: readonly Digest[]): void {
  for (const [position, { digest, mediaType }] of layers.entries()) {
    const diffID = diffIDs[position];
    if (layerCompression(mediaType) !== 'none' || diffID === undefined || diffID === digest) continue;
    if (hashAlgorithm(diffID) !== hashAlgorithm(digest)) continue;
    throw new OciTarError('DIGEST_MISMATCH', `layer ${digest} is not compressed, but the config says ${diffID}`, {
      side: 'source',
      subject: digest,
      expected: diffID,
      actual: digest,
    });
  }
}
