import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { unpackSeekable } from '../../packages/core/src/seekable/unpack.ts';
import { verifyContent } from '../../packages/core/src/seekable/verify.ts';
import { gather } from '../tar/streams.ts';
import { blobWithTocTar, built, contentOf, directory, file, hardlink, opened, tarOf, text } from './support.ts';
import fc from '../support/fast-check.ts';

const files = { 'd/a': 'hello', b: 'x'.repeat(700), c: '' };
const { blob, report } = await built(await tarOf(directory('d/'), ...Object.entries(files).map(([path, content]) => file(path, content)), hardlink('h', 'b')), { chunkSize: 300 });

/** Whatever happens to a blob: each file is what it was, or there is an error that says what is wrong. */
async function check(bytes: Uint8Array): Promise<void> {
  try {
    const layer = await opened(bytes);
    layer.verifyToc(report.tocDigest);
    await verifyContent(layer);
    for (const [path, content] of Object.entries(files)) expect(await contentOf(layer, path)).toEqual(text(content));
  } catch (error) {
    if (!isOciTarError(error)) throw error;
  }
}

it('takes any bytes that were changed, left out or put in for what they are', async () => {
  expect(Buffer.compare(blob, (await built(await gather(unpackSeekable(bytesSource(blob))), { chunkSize: 300 })).blob)).toBe(0);
  const place = fc.nat(blob.length);
  await fc.assert(
    fc.asyncProperty(place, fc.nat(20), fc.uint8Array({ maxLength: 20 }), async (at, length, put) => {
      await check(new Uint8Array(Buffer.concat([blob.subarray(0, at), put, blob.subarray(at + length)])));
    }),
    { numRuns: 200 },
  );
});

it('takes any change of a TOC for what it is', async () => {
  const { tocOffset = 0 } = (await opened(blob)).parts;
  const tar = gunzipSync(blob.subarray(tocOffset, -51));
  const payload = gunzipSync(blob.subarray(0, tocOffset));
  const values = fc.constantFrom('0', '1', '99999', '-1', '1e3', '9007199254740993', '""', 'null', '{}', '"chunk"', '"reg"', '"d"', '"../b"');
  const fields = [...tar.toString('latin1').matchAll(/": ("[^"]*"|\d+)/g)].map(({ index, 0: found }) => ({ start: index + 3, end: index + found.length }));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...fields), values, async ({ start, end }, value) => {
      const changed = Buffer.concat([tar.subarray(512, start), Buffer.from(value), tar.subarray(end)]);
      const json = changed.subarray(0, changed.lastIndexOf('}') + 1);
      const toc = await tarOf(file('stargz.index.json', json));
      try {
        await verifyContent(await opened(await blobWithTocTar(payload, toc)));
      } catch (error) {
        if (!isOciTarError(error)) throw error;
      }
    }),
    { numRuns: 200 },
  );
  expect(fields.length).toBeGreaterThan(30);
});
