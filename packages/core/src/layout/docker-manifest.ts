import { contentOf } from '../image/make-plan.ts';
import { readDocument } from '../image/read.ts';
import type { Plan } from '../image/plan.ts';
import type { ImageStore } from '../image/store.ts';
import { isFullReference } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { blobPath } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { isConfigType, isLayerType } from '../spec/media-type.ts';
import { familiarReference, isReference, parseReference } from '../spec/reference.ts';

/** One image of docker's `manifest.json`, as `docker load` and older tools read it. */
export interface DockerManifestItem {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

/**
 * docker's `manifest.json` for the images of a plan, one item per manifest. It has no platforms, so an index is
 * represented by one child: linux/amd64 where there is one and the first otherwise, whatever this machine is, since
 * equal images must give equal bytes. Artifacts that are no images are left out.
 */
export async function dockerManifest(plan: Plan): Promise<readonly DockerManifestItem[]> {
  const items = new Map<Digest, { item: DockerManifestItem; tags: string[] }>();
  for (const { name, descriptor } of plan.images) {
    const chosen = await imageOf(plan, descriptor);
    if (chosen === undefined) continue;
    const known = items.get(chosen.digest) ?? { item: chosen.item, tags: [] };
    // A layout may call an image anything; docker takes references only, and fails on one with a digest.
    if (name !== undefined && isFullReference(name) && isReference(name) && parseReference(name).digest === undefined) known.tags.push(familiarReference(name));
    items.set(chosen.digest, known);
  }
  return [...items.values()].map(({ item, tags }) => ({ ...item, RepoTags: tags.length === 0 ? null : tags }));
}

async function imageOf(plan: Plan, descriptor: Descriptor): Promise<{ readonly digest: Digest; readonly item: DockerManifestItem } | undefined> {
  const content = contentOf(plan, descriptor);
  // The plan has read it within the caller's limits, which may be wider than the default ones.
  const document = await readDocument(originOf(content), descriptor, { bytes: descriptor.size, depth: 1000 });
  if (document?.kind === 'manifest') {
    const { config, layers } = document.manifest;
    if (!isConfigType(config.mediaType) || !layers.every((layer) => isLayerType(layer.mediaType))) return undefined;
    return { digest: descriptor.digest, item: { Config: blobPath(config.digest), RepoTags: null, Layers: layers.map((layer) => blobPath(layer.digest)) } };
  }
  if (document?.kind !== 'index') return undefined;
  const moving = document.index.manifests.filter((child) => plan.contents.has(child.digest));
  const preferred = moving.filter(({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64');
  for (const child of [...preferred, ...moving]) {
    const image = await imageOf(plan, child);
    if (image !== undefined) return image;
  }
  return undefined;
}

function originOf(content: { readonly origins: readonly ImageStore[] }): ImageStore {
  const [origin] = content.origins;
  if (origin === undefined) throw new TypeError('a content of a plan has at least one origin');
  return origin;
}
