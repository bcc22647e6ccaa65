import { digestBytes } from '../bytes/digest.ts';
import { bytesSource } from '../bytes/source.ts';
import { unpackSeekable } from '../seekable/unpack.ts';
import { assert, assertBytes, assertEqual, assertRejects, noise } from './assert.ts';
import { blobDiffID, memberOffsets } from './seekable-blob.ts';
import type { SeekableCase } from './seekable-conformance.ts';
import { file, sampleTree, tarOf, whole } from './seekable-session.ts';

/** What is written, and what is told of it. */
export const buildCases: readonly SeekableCase[] = [
  {
    name: 'tells digest, size and diffID of what it wrote',
    async run(session) {
      const built = await session.build(sampleTree, { chunkSize: 50_000 });
      const { blob, report } = built;
      assertEqual([report.digest, report.size], [await digestBytes(blob), blob.length], 'digest and size of the blob');
      assertEqual(report.diffID, await blobDiffID(blob, { decompressors: session.decompressors(built) }), 'diffID');
      assertEqual(report.suffix, session.harness.decompressor(report).suffix, 'suffix of the media type, as the reader has it');
    },
  },
  {
    name: 'writes the same bytes, whatever the number of cores and the runs of the tar',
    async run(session) {
      const tar = await tarOf(sampleTree);
      for (const lossless of [false, true]) {
        const { blob } = await session.buildFrom(tar, { lossless, chunkSize: 40_000, parallelism: 1 });
        for (const parallelism of [2, 5]) assertBytes((await session.buildFrom(tar, { lossless, chunkSize: 40_000, parallelism })).blob, blob, `the blob of ${parallelism} cores`);
        assertBytes((await session.buildFrom(tar, { lossless, chunkSize: 40_000 }, [1000, 7, 70_001])).blob, blob, 'the blob of short runs');
      }
    },
  },
  {
    name: 'writes several blobs at a time without mixing them',
    async run(session) {
      const trees = [1, 2, 3].map((seed) => [file('a', noise(90_000, seed)), file('b', noise(10, seed))]);
      const apart = [];
      for (const tree of trees) apart.push((await session.build(tree)).report.digest);
      const together = await Promise.all(trees.map((tree) => session.build(tree)));
      assertEqual(together.map(({ report }) => report.digest), apart, 'digests');
    },
  },
  {
    name: 'unpacks to every byte of the tar where nothing was to be lost',
    async run(session) {
      const tar = await tarOf(sampleTree);
      for (const input of [tar, tar.subarray(0, -1024), new Uint8Array([...tar, ...new Uint8Array(9216)]), new Uint8Array(1024), new Uint8Array(0)]) {
        const built = await session.buildFrom(input, { lossless: true });
        assertBytes(await whole(unpackSeekable(bytesSource(built.blob), { decompressors: session.decompressors(built) })), input, 'the tar');
      }
    },
  },
  {
    name: 'starts a member at each chunk',
    applies: ({ ownChunks }) => ownChunks !== true,
    async run(session) {
      const built = await session.build([file('a', noise(1000, 1)), file('b', noise(100, 2)), file('c', noise(300, 3))], { chunkSize: 300, lossless: true });
      const { chunks, parts } = await session.open(built);
      assertEqual(chunks.map(({ chunkOffset, chunkSize }) => [chunkOffset, chunkSize]), [[0, 300], [300, 300], [600, 300], [900, 100], [0, 100], [0, 300]], 'chunks');
      const offsets = await memberOffsets(built.blob, { decompressors: session.decompressors(built) });
      assertEqual(offsets, [0, ...chunks.map(({ offset }) => offset), ...(parts.tocOffset === undefined ? [] : [parts.tocOffset])], 'places where members start');
    },
  },
  {
    name: 'gathers small files in members of a least size',
    applies: ({ chunksAlone }) => chunksAlone !== true,
    async run(session) {
      const tree = Array.from({ length: 40 }, (_, at) => file(`f${at}`, noise(100 + at, at + 1)));
      const built = await session.build(tree, { minChunkSize: 1000 });
      const layer = await session.open(built);
      const starts = new Set(layer.chunks.map(({ offset }) => offset));
      assert(starts.size < layer.chunks.length / 2, `${starts.size} members for ${layer.chunks.length} chunks: they are not shared`);
      await session.verify(built);
    },
  },
  {
    name: 'refuses a minimum chunk size where chunks are alone',
    applies: ({ chunksAlone }) => chunksAlone === true,
    async run(session) {
      await assertRejects(() => session.build(sampleTree, { minChunkSize: 1000 }), 'a build with a minimum chunk size', 'INVALID_ARGUMENT');
    },
  },
  {
    name: 'puts prioritized files first, before the landmark, which starts a member',
    async run(session) {
      const built = await session.build([file('a', noise(10, 1)), file('b', noise(20, 2)), file('c', noise(30, 3))], { prioritizedFiles: ['c', 'b'] });
      const { chunks } = await session.open(built);
      assertEqual(chunks.map(({ entry }) => entry.path), ['c', 'b', '.prefetch.landmark', 'a'], 'files in the order of the blob');
      assertEqual(chunks[2]?.innerOffset, 0, 'position of the landmark in its member');
    },
  },
];
