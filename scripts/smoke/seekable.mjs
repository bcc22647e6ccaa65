// Runs inside an empty project that has the packed library installed: seekable.mjs
//
// Runs the suite of cases for formats of seekable layers on this Node, and prints the digests of a few layers: those of eStargz's bytes, and those of what zstd:chunked
// decompresses to, frame after frame.
import { buildSeekable, codecByName, estargz, bytesSource, digestStream, verifySeekable, zstdChunked } from '@oci-tar/core';
import { seekableConformance } from '@oci-tar/core/testing';

const own = estargz();
const first = zstdChunked({ version: 1 });
const second = zstdChunked({ version: 2 });
const harnesses = [
  { compressor: own, decompressor: () => own },
  { compressor: first, decompressor: () => first },
  { compressor: second, decompressor: () => second, chunksAlone: true, ownChunks: true },
];
for (const harness of harnesses) {
  for (const { name, run } of seekableConformance(harness)) {
    await run().catch((error) => {
      throw new Error(`${harness.compressor.name}: ${name}: ${error.message}`, { cause: error });
    });
  }
}

/** A tar of a few hundred files, the same every time. @returns {Uint8Array} */
function sampleTar() {
  const blocks = [];
  for (let at = 0; at < 300; at++) {
    const size = (at * 977) % 9000;
    const header = new Uint8Array(512);
    const fields = [[0, `files/${at}`], [100, '0000644'], [108, '0000000'], [116, '0000000'], [124, size.toString(8).padStart(11, '0')], [136, '00000000005'], [148, '        '], [156, '0'], [257, 'ustar\u000000']];
    for (const [start, text] of fields) header.set(new TextEncoder().encode(String(text)), Number(start));
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
    const body = new Uint8Array(Math.ceil(size / 512) * 512);
    for (let i = 0; i < size; i++) body[i] = Math.imul(i + at, 2654435761) >>> (i % 700 < 350 ? 20 : 29);
    blocks.push(header, body);
  }
  return new Uint8Array(Buffer.concat([...blocks, new Uint8Array(1024)]));
}

const tar = sampleTar();
const found = {};
for (const { compressor } of harnesses) {
  const build = buildSeekable(bytesSource(tar), { compressor, lossless: true });
  const parts = [];
  for await (const run of build.blob) parts.push(run);
  const blob = bytesSource(new Uint8Array(Buffer.concat(parts)));
  const { digest, diffID, tocDigest } = build.report();
  await verifySeekable(blob, { digest, diffID, tocDigest });
  const codec = codecByName(compressor.suffix.slice(1));
  const plain = await digestStream(codec.decompress(blob.read()));
  found[compressor.name] = codec.name === 'zstd' ? plain : { digest, plain };
}
console.log(JSON.stringify(found));
