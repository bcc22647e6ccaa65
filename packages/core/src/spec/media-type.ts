import type { Descriptor } from './descriptor.ts';

/** Media types of the image-spec (media-types.md) and of docker's image manifest version 2, schema 2. */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  foreignLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
  foreignLayerGzip: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  foreignLayerZstd: 'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  empty: 'application/vnd.oci.empty.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerLayerZstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar',
  dockerForeignLayerGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  dockerForeignLayerZstd: 'application/vnd.docker.image.rootfs.foreign.diff.tar.zstd',
  /** Recognised only to be refused by name. */
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/** The descriptor of `{}`, for a config or layer that has to be there and says nothing (image-spec, manifest.md). */
export const emptyDescriptor: Descriptor = {
  mediaType: mediaTypes.empty,
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
  data: 'e30=',
};

/** What the names of the known layer types differ in. */
export type LayerCompression = 'gzip' | 'zstd' | 'none';

interface LayerType {
  readonly docker: boolean;
  readonly foreign: boolean;
  readonly compression: LayerCompression;
}

const layerTypes: ReadonlyMap<string, LayerType> = new Map<string, LayerType>([
  [mediaTypes.layer, { docker: false, foreign: false, compression: 'none' }],
  [mediaTypes.layerGzip, { docker: false, foreign: false, compression: 'gzip' }],
  [mediaTypes.layerZstd, { docker: false, foreign: false, compression: 'zstd' }],
  [mediaTypes.foreignLayer, { docker: false, foreign: true, compression: 'none' }],
  [mediaTypes.foreignLayerGzip, { docker: false, foreign: true, compression: 'gzip' }],
  [mediaTypes.foreignLayerZstd, { docker: false, foreign: true, compression: 'zstd' }],
  [mediaTypes.dockerLayer, { docker: true, foreign: false, compression: 'none' }],
  [mediaTypes.dockerLayerGzip, { docker: true, foreign: false, compression: 'gzip' }],
  [mediaTypes.dockerLayerZstd, { docker: true, foreign: false, compression: 'zstd' }],
  [mediaTypes.dockerForeignLayer, { docker: true, foreign: true, compression: 'none' }],
  [mediaTypes.dockerForeignLayerGzip, { docker: true, foreign: true, compression: 'gzip' }],
  [mediaTypes.dockerForeignLayerZstd, { docker: true, foreign: true, compression: 'zstd' }],
]);

export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.index || mediaType === mediaTypes.dockerIndex;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === mediaTypes.manifest || mediaType === mediaTypes.dockerManifest;
}

/** Whether this is the configuration of an image. An artifact's config of any other type is never parsed. */
export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.config || mediaType === mediaTypes.dockerConfig;
}

/** Whether this is a layer of a file system, of a type and compression known here. */
export function isLayerType(mediaType: string): boolean {
  return layerTypes.has(mediaType);
}

/** Whether this is a layer that is fetched from its urls and not redistributed: docker's foreign, OCI's non-distributable. */
export function isForeignType(mediaType: string): boolean {
  return layerTypes.get(mediaType)?.foreign === true;
}

/** docker's first format, which names no config and is refused. */
export function isSchema1Type(mediaType: string): boolean {
  return mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed;
}

/** The compression that a layer's media type states; undefined for what is no known layer. The bytes may still say otherwise. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  return layerTypes.get(mediaType)?.compression;
}

/** The same kind of layer (OCI's or docker's, foreign or not) in another compression; undefined for what is no known layer. */
export function withLayerCompression(mediaType: string, compression: LayerCompression): string | undefined {
  const layer = layerTypes.get(mediaType);
  return layer === undefined ? undefined : nameOf({ ...layer, compression });
}

/** OCI's name for docker's type of the same format; any other type stays as it is. */
export function ociTypeOf(mediaType: string): string {
  if (mediaType === mediaTypes.dockerIndex) return mediaTypes.index;
  if (mediaType === mediaTypes.dockerManifest) return mediaTypes.manifest;
  if (mediaType === mediaTypes.dockerConfig) return mediaTypes.config;
  const layer = layerTypes.get(mediaType);
  return layer === undefined ? mediaType : (nameOf({ ...layer, docker: false }) ?? mediaType);
}

/** Docker's name for OCI's type of the same format; any other type stays as it is. */
export function dockerTypeOf(mediaType: string): string {
  if (mediaType === mediaTypes.index) return mediaTypes.dockerIndex;
  if (mediaType === mediaTypes.manifest) return mediaTypes.dockerManifest;
  if (mediaType === mediaTypes.config) return mediaTypes.dockerConfig;
  const layer = layerTypes.get(mediaType);
  return layer === undefined ? mediaType : (nameOf({ ...layer, docker: true }) ?? mediaType);
}

function nameOf(wanted: LayerType): string | undefined {
  for (const [name, type] of layerTypes) {
    if (type.docker === wanted.docker && type.foreign === wanted.foreign && type.compression === wanted.compression) return name;
  }
  return undefined;
}
