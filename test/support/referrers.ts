import { annotationKeys, emptyDescriptor, mediaTypes, readDocument } from '@oci-tar/core';
import type { Descriptor, ImageStore, Platform, WriteSession } from '@oci-tar/core';
import { addIndex, pushBytes, pushJson } from './images.ts';

/** What a test says of a referrer; everything else has a default. */
export interface ReferrerSpec {
  readonly artifactType?: string;
  readonly text?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Fields of the manifest that differ from what is right. */
  readonly changes?: object;
  /** The tag under which it is listed. */
  readonly name?: string;
  /** Whether its entry says what it refers to; not by default. */
  readonly annotated?: boolean;
  /** Not listed in index.json, only stored. */
  readonly unlisted?: boolean;
}

export const signatureType = 'application/vnd.example.signature.v1';
export const sbomType = 'application/spdx+json';

/** Writes an artifact that states a subject (image-spec, manifest.md, "Guidelines for Artifact Usage"). */
export async function addReferrer(store: ImageStore, subject: Descriptor, spec: ReferrerSpec = {}): Promise<Descriptor> {
  const { artifactType = signatureType, text = `${artifactType} of ${subject.digest}`, annotations, changes } = spec;
  return written(store, async (session) => {
    const config = await pushBytes(session, mediaTypes.empty, 'config', new TextEncoder().encode('{}'));
    const layer = await pushBytes(session, artifactType, 'layer', new TextEncoder().encode(text));
    const { mediaType, digest, size } = subject;
    const manifest = await pushJson(session, mediaTypes.manifest, 'manifest', {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType,
      config: { ...config.descriptor, data: emptyDescriptor.data },
      layers: [layer.descriptor],
      subject: { mediaType, digest, size },
      ...(annotations === undefined ? {} : { annotations }),
      ...changes,
    });
    if (spec.unlisted !== true) await session.name(spec.name, spec.annotated === true ? { ...manifest, descriptor: annotated(manifest.descriptor, subject) } : manifest);
    return manifest.descriptor;
  });
}

/** Writes what cosign keeps beside an image: it looks like an image, states no subject, and is found by its tag. */
export async function addCosign(store: ImageStore, subject: Descriptor, repository: string, suffix = '.sig'): Promise<Descriptor> {
  return written(store, async (session) => {
    const layer = await pushBytes(session, 'application/vnd.dev.cosign.simplesigning.v1+json', 'layer', new TextEncoder().encode(`{"critical":"${suffix} of ${subject.digest}"}`));
    const config = await pushJson(session, mediaTypes.config, 'config', {
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
    });
    const manifest = await pushJson(session, mediaTypes.manifest, 'manifest', {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: config.descriptor,
      layers: [{ ...layer.descriptor, annotations: { 'dev.cosignproject.cosign/signature': 'MEUCIQ==' } }],
    });
    const tag = subject.digest.replace(':', '-') + suffix;
    await session.name(repository === '' ? tag : `${repository}:${tag}`, manifest);
    return manifest.descriptor;
  });
}

/** Writes a list of referrers under the tag of their subject. */
export async function addList(store: ImageStore, subject: Descriptor, referrers: readonly Descriptor[], repository: string): Promise<Descriptor> {
  return written(store, async (session) => {
    const list = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests: referrers });
    const tag = subject.digest.replace(':', '-');
    await session.name(repository === '' ? tag : `${repository}:${tag}`, list);
    return list.descriptor;
  });
}

/** Writes an index with one image for each platform, and for each of these an attestation as BuildKit makes it. */
export async function addAttested(store: ImageStore, name: string, platforms: readonly Platform[]): Promise<{ readonly index: Descriptor; readonly images: readonly Descriptor[] }> {
  const document = await readDocument(store, (await addIndex(store, name, platforms)).descriptor);
  const images = document?.kind === 'index' ? document.index.manifests : [];
  const index = await written(store, async (session) => {
    const attestations: Descriptor[] = [];
    for (const image of images) {
      const layer = await pushBytes(session, 'application/vnd.in-toto+json', 'layer', new TextEncoder().encode(`{"subject":"${image.digest}"}`));
      const config = await pushJson(session, mediaTypes.config, 'config', { architecture: 'unknown', os: 'unknown', config: {}, rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] } });
      const manifest = await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: [layer.descriptor] });
      attestations.push({
        ...manifest.descriptor,
        platform: { architecture: 'unknown', os: 'unknown' },
        annotations: { [annotationKeys.referenceType]: 'attestation-manifest', [annotationKeys.referenceDigest]: image.digest },
      });
    }
    const root = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [...images, ...attestations] });
    await session.name(name, root);
    return root.descriptor;
  });
  return { index, images };
}

export function annotated(descriptor: Descriptor, subject: Descriptor): Descriptor {
  return { ...descriptor, annotations: { [annotationKeys.manifestSubject]: subject.digest } };
}

export async function written<T>(store: ImageStore, work: (session: WriteSession) => Promise<T>): Promise<T> {
  const session = await store.begin?.();
  if (session === undefined) throw new Error(`${store.name} is read-only`);
  const result = await work(session);
  await session.end();
  return result;
}

export async function referrersOf(store: ImageStore, subject: Descriptor): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  for await (const referrer of store.referrers?.(subject) ?? []) found.push(referrer);
  return found;
}
