import { distributionSourcePrefix, distributionSources } from '../../spec/annotation.ts';
import type { Annotations } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { childrenOf } from '../../spec/document.ts';
import type { Document } from '../../spec/document.ts';
import { isConfigType, isIndexType, isLayerType, isManifestType } from '../../spec/media-type.ts';

type Labels = Readonly<Record<string, string>>;

const contentReference = 'containerd.io/gc.ref.content.';

/** What follows is anything; the value is the digest of what refers to the labelled content. */
const referrerPrefix = `${contentReference}referrer.`;

/** On a config: the root filesystem that is made of its layers. */
export const snapshotReference = 'containerd.io/gc.ref.snapshot.';

/** On a layer: its diffID. */
export const uncompressedLabel = 'containerd.io/uncompressed';

/**
 * The labels by which containerd's collector finds what a manifest or index refers to, named as ctr names them: `config`, `l.N`
 * for layers, `m.N` for manifests and indexes, a number alone for anything else. Those of children that are not there do no harm.
 */
export function childLabels(document: Document): Labels {
  const counts = new Map<string, number>();
  const labels: Record<string, string> = {};
  for (const { mediaType, digest } of childrenOf(document)) {
    const kind = kindOf(mediaType);
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    labels[`${contentReference}${kind}${kind !== 'config' ? count : count === 0 ? '' : `.${count}`}`] = digest;
  }
  return labels;
}

function kindOf(mediaType: string): 'config' | 'l.' | 'm.' | '' {
  if (isConfigType(mediaType)) return 'config';
  if (isManifestType(mediaType) || isIndexType(mediaType)) return 'm.';
  return isLayerType(mediaType) ? 'l.' : '';
}

/** The label by which a subject keeps one of its referrers. */
export function referrerLabel(referrer: Pick<Descriptor, 'digest'>): Labels {
  return { [`${referrerPrefix}${referrer.digest.replace(':', '.')}`]: referrer.digest };
}

/** The digests in the labels of a subject, unchecked. */
export function referrersIn(labels: Labels): readonly string[] {
  return Object.entries(labels).flatMap(([key, value]) => (key.startsWith(referrerPrefix) ? [value] : []));
}

/** The labels that say which repositories have a blob, as annotations: both have the same keys and values. */
export function sourceAnnotations(labels: Labels): Annotations {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => key.startsWith(distributionSourcePrefix)));
}

/** Key and value together, in bytes: containerd refuses more. */
const labelLimit = 4096;

/** The labels for the repositories that a descriptor's annotations tell of, beside those that are known already. */
export function sourceLabels(annotations: Annotations | undefined, known: Labels): Labels {
  const before = distributionSources(known);
  const labels = [...distributionSources(annotations)].map(([registry, repositories]) => {
    const all = new Set([...(before.get(registry) ?? []), ...repositories]);
    return [`${distributionSourcePrefix}${registry}`, [...all].toSorted().join(',')] as const;
  });
  return Object.fromEntries(labels.filter(([key, value]) => new TextEncoder().encode(key + value).byteLength <= labelLimit));
}

/** The labels that are not there yet, or say something else. */
export function missingLabels(wanted: Labels, present: Labels): Labels {
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => present[key] !== value));
}
