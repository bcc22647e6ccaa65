import { bytesSource, digestBytes, mediaTypes } from '@oci-tar/core';
import type { Content, Descriptor, ImageStore } from '@oci-tar/core';

/** A blob of a store as a plan would move it. */
export async function contentOf(source: ImageStore, descriptor: Descriptor): Promise<Content> {
  const bytes = await source.open(descriptor);
  return { descriptor, role: 'other', height: 0, origins: [source], read: () => bytes.read() };
}

/** Bytes as a plan would move them as a layer. */
export async function oneBlob(bytes: Uint8Array): Promise<Content> {
  const descriptor = { mediaType: mediaTypes.layerGzip, digest: await digestBytes(bytes), size: bytes.byteLength };
  return { descriptor, role: 'layer', height: 0, origins: [], read: () => bytesSource(bytes).read() };
}
