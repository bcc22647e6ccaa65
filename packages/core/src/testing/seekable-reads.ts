import { assert, assertBytes, assertEqual, assertRejects, noise } from './assert.ts';
import type { SeekableCase } from './seekable-conformance.ts';
import { file, sampleTree, whole } from './seekable-session.ts';

/** What is read. */
export const readCases: readonly SeekableCase[] = [
  {
    name: 'has every entry of the tar as it was',
    async run(session) {
      for (const lossless of [false, true]) {
        const layer = await session.open(await session.build(sampleTree, { lossless, chunkSize: 50_000 }));
        const names = layer.toc.entries.filter(({ type, name }) => type !== 'chunk' && name !== '.no.prefetch.landmark').map(({ name }) => name);
        assertEqual(names, sampleTree.map(({ path }) => path), 'names');
        for (const { path, type, mode, uid = 0, gid = 0, mtime = 0, data, pax } of sampleTree) {
          const stat = layer.entry(path)?.stat();
          if (type === 'hardlink') continue;
          if (mode !== undefined) assertEqual(stat?.mode, mode, `mode of ${path}`);
          assertEqual([stat?.uid, stat?.gid], [uid, gid], `owner of ${path}`);
          assert(Math.abs((stat?.mtime ?? NaN) - mtime) <= 0.5, `time of ${path}: got ${stat?.mtime}, expected ${mtime}`);
          assertEqual([...(stat?.xattrs.values() ?? [])].map((value) => [...value]), [...(pax?.values() ?? [])].map((value) => [...value]), `extended attributes of ${path}`);
          if (data instanceof Uint8Array) assertBytes(await whole(layer.openFile(path).read()), data, path);
        }
        assertEqual(layer.lookup('link')?.path, 'bin/tool', 'where the hardlink leads');
        assertEqual(layer.lookup('sym')?.stat().linkName, '../some/where', 'where the symlink leads');
        assertEqual([layer.lookup('dev')?.stat().devMajor, layer.lookup('dev')?.stat().devMinor], [1, 3], 'numbers of the device');
      }
    },
  },
  {
    name: 'reads any part of a file',
    async run(session) {
      const content = noise(100_000, 4);
      const layer = await session.open(await session.build([file('before', noise(99, 1)), file('a', content), file('after', noise(99, 2))], { chunkSize: 7000 }));
      const source = layer.openFile('a');
      assertEqual(source.size, content.length, 'size');
      for (const [start, end] of [[0, 1], [6999, 7001], [0, 100_000], [7000, 14_000], [50_000, 50_000], [99_999, 100_000], [12_345, 98_765]] as const) {
        assertBytes(await whole(source.read(start, end)), content.subarray(start, end), `bytes ${start} to ${end}`);
      }
    },
  },
  {
    name: 'reads each member by itself, and nothing after the next one’s start',
    async run(session) {
      const built = await session.build(sampleTree, { chunkSize: 50_000 });
      const { chunks, parts } = await session.open(built);
      for (const { entry, offset, innerOffset, chunkOffset, chunkSize, nextOffset } of chunks) {
        const bytes = built.blob.slice(offset, nextOffset);
        const content = await whole(parts.decompressor.reader(once(bytes)));
        assert(content.length >= innerOffset + chunkSize, `the member at ${offset} ends before the content of ${entry.path}`);
        const data = sampleTree.find(({ path }) => path === entry.toc?.name)?.data;
        if (data instanceof Uint8Array) assertBytes(content.subarray(innerOffset, innerOffset + chunkSize), data.subarray(chunkOffset, chunkOffset + chunkSize), entry.path);
        for (const shortcut of ['smallMember', 'wholeMember'] as const) {
          const small = parts.decompressor[shortcut]?.(bytes);
          if (small !== undefined) assertBytes(small, content.subarray(0, shortcut === 'wholeMember' ? content.length : small.length), `${shortcut} of ${entry.path}`);
        }
      }
    },
  },
  {
    name: 'verifies what it built at every level',
    async run(session) {
      for (const options of [{}, { lossless: true }, { chunkSize: 10_000 }, { prioritizedFiles: ['large', 'link'] }]) {
        const built = await session.build(sampleTree, options);
        const { tocDigest, digest, diffID } = built.report;
        for (const level of [1, 2] as const) assertEqual((await session.verify(built, { level, tocDigest })).level, level, 'level');
        const { tar, content } = await session.verify(built, { level: 3, tocDigest, digest, diffID });
        assertEqual([tar?.digest, tar?.diffID], [digest, diffID], 'digests of blob and tar');
        assertEqual(content?.files, sampleTree.filter(({ type, size = 0 }) => type === 'file' && size > 0).length + ('lossless' in options ? 0 : 1), 'files with content');
      }
    },
  },
  {
    name: 'is vouched for by the TOC digest that was told, and by no other',
    async run(session) {
      const [one, other] = [await session.build([file('a', noise(10, 1))]), await session.build([file('a', noise(10, 2))])];
      const layer = await session.open(one);
      assertEqual(layer.tocDigest, one.report.tocDigest, 'TOC digest');
      layer.verifyToc(one.report.tocDigest);
      await assertRejects(async () => layer.verifyToc(other.report.tocDigest), 'a digest of another TOC', 'DIGEST_MISMATCH');
    },
  },
  {
    name: 'reads a layer of nothing',
    async run(session) {
      const built = await session.buildFrom(new Uint8Array(0), { lossless: true });
      const layer = await session.open(built);
      assertEqual([layer.toc.entries.length, layer.chunks.length], [0, 0], 'entries and chunks');
      await session.verify(built, { digest: built.report.digest, diffID: built.report.diffID });
    },
  },
  {
    name: 'knows its own footer, and nothing else for one',
    async run(session) {
      const built = await session.build(sampleTree);
      const decompressor = session.harness.decompressor(built.report);
      const { footerSize } = decompressor;
      assert(decompressor.parseFooter(built.blob.slice(-footerSize)) !== undefined, 'its own footer is not read');
      for (const bytes of [new Uint8Array(footerSize), noise(footerSize, 5), built.blob.slice(-footerSize - 1, -1)]) {
        assert(decompressor.parseFooter(bytes) === undefined, 'something else is taken for a footer');
      }
    },
  },
];

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
