import type { Descriptor } from '../spec/descriptor.ts';
import type { Document } from '../spec/document.ts';
import { isIndexType, isManifestType } from '../spec/media-type.ts';
import type { ContentRole } from './plan.ts';

export interface Child {
  readonly descriptor: Descriptor;
  readonly role: ContentRole;
}

/** What a manifest or index refers to and needs, in its own order. The subject is a weak link and none of these. */
export function childrenOf(document: Document): readonly Child[] {
  if (document.kind === 'index') return document.index.manifests.map((descriptor) => ({ descriptor, role: roleOf(descriptor) }));
  const { config, layers } = document.manifest;
  return [{ descriptor: config, role: 'config' }, ...layers.map((descriptor) => ({ descriptor, role: 'layer' as const }))];
}

/** What a descriptor outside of a manifest stands for. */
export function roleOf(descriptor: Descriptor): ContentRole {
  if (isIndexType(descriptor.mediaType)) return 'index';
  return isManifestType(descriptor.mediaType) ? 'manifest' : 'other';
}
