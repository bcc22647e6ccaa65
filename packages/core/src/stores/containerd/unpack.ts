import { randomBytes } from 'node:crypto';
import { digestBytes } from '../../bytes/digest.ts';
import { OciTarError } from '../../errors.ts';
import { readBlob, readDocument } from '../../image/read.ts';
import type { ImageStore } from '../../image/store.ts';
import { parseConfig, platformOf } from '../../spec/config.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { parseDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import type { Manifest } from '../../spec/manifest.ts';
import { bestMatch, matchPlatform } from '../../spec/platform-match.ts';
import { formatPlatform } from '../../spec/platform.ts';
import type { Platform } from '../../spec/platform.ts';
import type { CallOptions } from './connection.ts';
import { setLabels } from './content.ts';
import { engineError, grpcStatus, hasStatus } from './failure.ts';
import { snapshotReference, uncompressedLabel } from './labels.ts';
import type { Lease } from './lease.ts';
import { appliedAnswer, mountsAnswer, nothing } from './messages.ts';

export interface UnpackOptions {
  /** `overlayfs` by default. */
  readonly snapshotter?: string;
  /** For which platforms; what an image has for each of them is unpacked. */
  readonly platforms: readonly Platform[];
}

/** The snapshotter that ctr takes where none is named. */
export const standardSnapshotter = 'overlayfs';

/**
 * Makes root filesystems of an image's layers, as containerd's own unpacker does, so that containers start from it at once.
 * NOT_FOUND where the image has nothing for a platform, DIGEST_MISMATCH for a layer that is not what the config says.
 */
export async function unpackImage(lease: Lease, store: ImageStore, root: Descriptor, { snapshotter = standardSnapshotter, platforms }: UnpackOptions, options: CallOptions = {}): Promise<void> {
  for (const platform of platforms) {
    const { manifest, diffIDs } = await unpackable(store, root, platform);
    const layers = manifest.layers.map((layer, position) => ({ layer, diffID: diffIDs[position] ?? layer.digest }));
    const chainIDs = await chainOf(diffIDs);
    let done = chainIDs.length;
    while (done > 0 && !(await isThere(lease, snapshotter, chainIDs[done - 1] ?? '', options))) done -= 1;
    for (const [position, { layer, diffID }] of layers.entries()) {
      if (position < done) continue;
      await unpackLayer(lease, snapshotter, { layer, diffID, parent: chainIDs[position - 1] ?? '', chainID: chainIDs[position] ?? diffID }, options);
    }
    const top = chainIDs.at(-1);
    if (top !== undefined) await setLabels(lease.connection, manifest.config.digest, { [snapshotReference + snapshotter]: top }, options);
  }
}

/** The digest of each layer together with all below it (image-spec, config.md, "Layer ChainID"). */
export async function chainOf(diffIDs: readonly Digest[]): Promise<readonly Digest[]> {
  const chain: Digest[] = [];
  for (const diffID of diffIDs) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffID : await digestBytes(new TextEncoder().encode(`${below} ${diffID}`)));
  }
  return chain;
}

async function unpackable(store: ImageStore, root: Descriptor, platform: Platform): Promise<{ readonly manifest: Manifest; readonly diffIDs: readonly Digest[] }> {
  const manifest = await manifestFor(store, root, platform, 0);
  if (manifest === undefined) throw noPlatform(root, platform);
  const config = parseConfig(await readBlob(store, manifest.config));
  if (!matchPlatform(platform).match(platformOf(config))) throw noPlatform(root, platform);
  const diffIDs = config.rootfs.diff_ids.map(parseDigest);
  if (diffIDs.length === manifest.layers.length) return { manifest, diffIDs };
  throw new OciTarError('INVALID_MANIFEST', `${root.digest} has ${manifest.layers.length} layers, but its config has ${diffIDs.length} diffIDs`, { subject: root.digest });
}

/** Indexes inside of each other that are followed. */
const deepest = 8;

async function manifestFor(store: ImageStore, descriptor: Descriptor, platform: Platform, depth: number): Promise<Manifest | undefined> {
  const document = depth > deepest ? undefined : await readDocument(store, descriptor);
  if (document?.kind !== 'index') return document?.manifest;
  const children = document.index.manifests;
  const best = children[bestMatch(platform, children.map((child) => child.platform))];
  if (best !== undefined) return manifestFor(store, best, platform, depth + 1);
  for (const child of children) {
    const found = child.platform === undefined ? await manifestFor(store, child, platform, depth + 1) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function noPlatform(root: Descriptor, platform: Platform): OciTarError {
  return new OciTarError('NOT_FOUND', `${root.digest} has nothing for ${formatPlatform(platform)} that could be unpacked`, { subject: root.digest, hint: 'Without --unpack it is imported as it is.' });
}

interface LayerStep {
  readonly layer: Descriptor;
  readonly diffID: Digest;
  /** Empty for the lowest layer. */
  readonly parent: string;
  readonly chainID: Digest;
}

async function unpackLayer(lease: Lease, snapshotter: string, { layer, diffID, parent, chainID }: LayerStep, options: CallOptions): Promise<void> {
  const { connection } = lease;
  const { signal } = options;
  // The form of key by which containerd's own tools know an unpacking under way.
  const key = `extract-${process.hrtime.bigint() % 1_000_000_000n}-${randomBytes(3).toString('base64url')} ${chainID}`;
  const fail = (error: unknown, what: string) => engineError(error, what, connection.address, signal);
  const { mounts } = await connection.call('Snapshots/Prepare', { snapshotter, key, parent }, mountsAnswer, options).catch((error: unknown) => {
    throw fail(error, `prepare a snapshot with ${snapshotter}`);
  });
  try {
    const { mediaType, digest, size } = layer;
    const { applied } = await connection.call('Diff/Apply', { diff: { mediaType, digest, size }, mounts }, appliedAnswer, options);
    if (applied.digest !== diffID) {
      throw new OciTarError('DIGEST_MISMATCH', `layer ${digest} unpacks to ${applied.digest}, its config says ${diffID}`, { expected: diffID, actual: applied.digest, subject: digest });
    }
    await connection.call('Snapshots/Commit', { snapshotter, name: chainID, key }, nothing, options);
  } catch (error) {
    await connection.call('Snapshots/Remove', { snapshotter, key }, nothing, { timeout: 10_000 }).catch(() => {});
    // Somebody else unpacked the same.
    if (!hasStatus(error, grpcStatus.alreadyExists) || !(await isThere(lease, snapshotter, chainID, options))) throw fail(error, `unpack ${layer.digest}`);
  }
  await setLabels(connection, layer.digest, { [uncompressedLabel]: diffID }, options);
}

/** Whether the snapshot is there; it is held first, as it could be collected right after. */
async function isThere(lease: Lease, snapshotter: string, chainID: string, options: CallOptions): Promise<boolean> {
  const { connection } = lease;
  const isKnown = async () => {
    try {
      await connection.call('Snapshots/Stat', { snapshotter, key: chainID }, nothing, options);
      return true;
    } catch (error) {
      if (hasStatus(error, grpcStatus.notFound)) return false;
      throw engineError(error, `look for a snapshot with ${snapshotter}`, connection.address, options.signal);
    }
  };
  if (!(await isKnown())) return false;
  await lease.add(`snapshots/${snapshotter}`, chainID, options);
  return isKnown();
}
