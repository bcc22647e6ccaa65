import type { Descriptor } from '../spec/descriptor.ts';
import type { Document } from '../spec/document.ts';
import { isIndexType, isManifestType } from '../spec/media-type.ts';
import type { ContentRole } from './plan.ts';

/** A place in an image's graph. */
export interface Node {
  readonly descriptor: Descriptor;
  readonly role: ContentRole;
}

/** The children of a manifest or index with what they are to it, in its order. */
export function nodesOf(document: Document): readonly Node[] {
  if (document.kind === 'index') return document.index.manifests.map((descriptor) => ({ descriptor, role: roleOf(descriptor) }));
  const { config, layers } = document.manifest;
  return [{ descriptor: config, role: 'config' }, ...layers.map((descriptor) => ({ descriptor, role: 'layer' as const }))];
}

/** What a descriptor outside of a manifest stands for. */
export function roleOf(descriptor: Descriptor): ContentRole {
  if (isIndexType(descriptor.mediaType)) return 'index';
  return isManifestType(descriptor.mediaType) ? 'manifest' : 'other';
}
