import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  emptyDescriptor,
  isConfigType,
  isForeignType,
  isIndexType,
  isLayerType,
  isManifestType,
  isSchema1Type,
  layerCompression,
  mediaTypes,
  ociTypeOf,
  withLayerCompression,
} from '../../packages/core/src/spec/media-type.ts';

const all = Object.values(mediaTypes);
const layers = Object.entries(mediaTypes).filter(([name]) => /layer/i.test(name));

describe('media types', () => {
  it('are each of one kind at most', () => {
    for (const type of all) {
      const kinds = [isIndexType, isManifestType, isConfigType, isLayerType, isSchema1Type].filter((is) => is(type));
      expect(kinds.length, type).toBe(type === mediaTypes.empty ? 0 : 1);
    }
  });

  it('are of no kind when unknown', () => {
    for (const type of ['', 'text/plain', 'application/vnd.oci.image.index.v2+json', `${mediaTypes.layer}+xz`, 'constructor']) {
      expect([isIndexType, isManifestType, isConfigType, isLayerType, isSchema1Type, isForeignType].some((is) => is(type))).toBe(false);
      expect(layerCompression(type)).toBeUndefined();
      expect(withLayerCompression(type, 'zstd')).toBeUndefined();
    }
  });

  it.each(layers)('tell of %s its compression', (name, type) => {
    expect(layerCompression(type)).toBe(name.endsWith('Gzip') ? 'gzip' : name.endsWith('Zstd') ? 'zstd' : 'none');
    expect(isForeignType(type)).toBe(/foreign/i.test(name));
  });

  it.each(layers)('keep the family of %s in another compression', (name, type) => {
    const family = name.replace(/Gzip$|Zstd$/, '');
    const named = new Map<string, string>(Object.entries(mediaTypes));
    expect(withLayerCompression(type, 'none')).toBe(named.get(family));
    expect(withLayerCompression(type, 'gzip')).toBe(named.get(`${family}Gzip`));
    expect(withLayerCompression(type, 'zstd')).toBe(named.get(`${family}Zstd`));
  });

  it('translate from docker to OCI', () => {
    expect(ociTypeOf(mediaTypes.dockerIndex)).toBe(mediaTypes.index);
    expect(ociTypeOf(mediaTypes.dockerManifest)).toBe(mediaTypes.manifest);
    expect(ociTypeOf(mediaTypes.dockerConfig)).toBe(mediaTypes.config);
    expect(ociTypeOf(mediaTypes.dockerLayerZstd)).toBe(mediaTypes.layerZstd);
    expect(ociTypeOf(mediaTypes.dockerForeignLayerGzip)).toBe(mediaTypes.foreignLayerGzip);
    expect(ociTypeOf(mediaTypes.layer)).toBe(mediaTypes.layer);
    expect(ociTypeOf('text/plain')).toBe('text/plain');
  });
});

describe('the empty descriptor', () => {
  it('describes {}', () => {
    const bytes = new TextEncoder().encode(atob(emptyDescriptor.data ?? ''));
    expect(new TextDecoder().decode(bytes)).toBe('{}');
    expect(emptyDescriptor.size).toBe(bytes.length);
    expect(emptyDescriptor.digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  });
});
