import { bytesSource, digestBytes, manifestChecksumAnnotations, openLayerToc, openVouchedToc, tocDigestAnnotation } from '@oci-tar/core';
import type { Digest, LayerToc } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { blobWith, built, file, tarOf, text } from '../seekable/support.ts';
import { failure } from '../tar/streams.ts';

const { blob, report } = await built(await tarOf(file('a', 'content')));
const other = `sha256:${'0'.repeat(64)}`;

/** A layer as an image has it, with these annotations. */
async function layer(bytes: Uint8Array, annotations?: Readonly<Record<string, string>>) {
  const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: await digestBytes(bytes), size: bytes.length, ...(annotations === undefined ? {} : { annotations }) };
  return { descriptor, open: async () => bytesSource(bytes) };
}

const shown = (toc: LayerToc | undefined) => (toc === undefined ? undefined : { voucher: toc.voucher, expected: toc.expected });

/** A TOC and the digest of its JSON. */
async function withToc(entries: readonly object[]): Promise<{ readonly bytes: Uint8Array; readonly digest: Digest }> {
  const json = JSON.stringify({ version: 1, entries });
  return { bytes: await blobWith(text('content'), json), digest: await digestBytes(text(json)) };
}

describe("a layer's TOC", () => {
  it.each([
    ['vouched', { [tocDigestAnnotation]: report.tocDigest }, report.tocDigest],
    ['differs', { [tocDigestAnnotation]: other }, other],
    ['none', {}, undefined],
    ['none', undefined, undefined],
    // Which of two counted would be up to the reader.
    ['none', { [tocDigestAnnotation]: report.tocDigest, [manifestChecksumAnnotations[2]]: other }, undefined],
    ['none', { [tocDigestAnnotation]: 'no digest' }, undefined],
  ])('is %s by the annotations %j', async (voucher, annotations, expected) => {
    expect(shown(await openLayerToc(await layer(blob, annotations)))).toEqual({ voucher, expected });
  });

  it('is believed only where the manifest has its digest, and refused where it has another', async () => {
    expect((await openVouchedToc(await layer(blob, { [tocDigestAnnotation]: report.tocDigest })))?.tocDigest).toBe(report.tocDigest);
    expect(await openVouchedToc(await layer(blob))).toBeUndefined();
    expect(await failure(openVouchedToc(await layer(blob, { [tocDigestAnnotation]: other })))).toMatchObject({ code: 'DIGEST_MISMATCH', details: { side: 'source', expected: other, actual: report.tocDigest } });
  });

  it('is not believed without a digest for each chunk, or with names that are not exact', async () => {
    const incomplete = await withToc([{ name: 'a', type: 'reg', size: 7 }]);
    const vouched = await layer(incomplete.bytes, { [tocDigestAnnotation]: incomplete.digest });
    expect(shown(await openLayerToc(vouched))).toEqual({ voucher: 'incomplete', expected: incomplete.digest });
    expect(await openVouchedToc(vouched)).toBeUndefined();
    const chunkDigest = await digestBytes(text('content'));
    for (const [name, believed] of [['a', true], ['a\ufffd', false]] as const) {
      const { bytes, digest } = await withToc([{ name, type: 'reg', size: 7, chunkDigest }]);
      expect((await openVouchedToc(await layer(bytes, { [tocDigestAnnotation]: digest }))) !== undefined).toBe(believed);
    }
  });

  it.each([
    ['a plain layer', async () => text('no layer at all')],
    ['nothing', async () => new Uint8Array(0)],
    ['one with a broken TOC', () => blobWith(text('x'), '{"version":1,"entries":[{"name":"a","type":"nothing"}]}')],
    ['one whose TOC is no JSON', () => blobWith(text('x'), '{')],
  ])('is not there in %s', async (_, make) => {
    expect(await openLayerToc(await layer(await make(), { [tocDigestAnnotation]: other }))).toBeUndefined();
  });

  it('is not looked for where the store fails', async () => {
    const { descriptor } = await layer(blob, { [tocDigestAnnotation]: other });
    const broken = async () => {
      throw new Error('the disk is gone');
    };
    await expect(openVouchedToc({ descriptor, open: broken })).rejects.toThrow('the disk is gone');
  });
});
