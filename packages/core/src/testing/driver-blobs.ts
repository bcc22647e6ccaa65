import { digestBytes } from '../bytes/digest.ts';
import type { BlobWriterOptions } from '../layout/driver.ts';
import { blobPath } from '../spec/digest.ts';
import { assert, assertBytes, assertEqual, assertRejects, noise, pieces } from './assert.ts';
import type { DriverCase } from './driver-conformance.ts';
import { readFile } from './driver-session.ts';
import { sealCases } from './driver-seals.ts';

const mebibyte = 1024 * 1024;

/** Blobs: under their digest, verified, whole or not at all. */
export const blobCases: readonly DriverCase[] = [
  {
    name: 'gives a blob back byte for byte, whether its size and digest are told before or not',
    async run(session) {
      await session.driver.init();
      const blobs = [noise(1000, 1), noise(1001, 2), noise(1002, 3)] as const;
      const options: BlobWriterOptions[] = [{}, { size: 1001 }, { size: 1002, digest: await digestBytes(blobs[2]) }];
      for (const [i, bytes] of blobs.entries()) {
        const digest = await digestBytes(bytes);
        assertEqual(await session.writeBlob(bytes, options[i]), { digest, size: bytes.byteLength }, 'what commit returns');
      }
      for (const bytes of blobs) await session.expectFile(blobPath(await digestBytes(bytes)), bytes);
    },
  },
  {
    name: 'reads any range of a blob, and no other',
    async run(session) {
      await session.driver.init();
      const bytes = noise(200_003, 1);
      const path = blobPath((await session.writeBlob(bytes)).digest);
      const reopened = await session.reopen();
      const source = await reopened.reader(path);
      assertEqual(source.size, bytes.byteLength, 'size');
      for (const [start, end] of [[0, 0], [0, 1], [1, 100_000], [99_999, 200_003], [200_002, 200_003], [200_003, 200_003], [0, 200_003]] as const) {
        assertBytes(await readFile(reopened, path, start, end), bytes.subarray(start, end), `bytes ${start} to ${end}`);
      }
      assertBytes(await readFile(reopened, path, 150_000), bytes.subarray(150_000), 'bytes from 150000');
      for (const [start, end] of [[-1, 5], [5, 4], [0, 200_004], [0.5, 2], [0, Number.NaN]] as const) {
        await assertRejects(() => readFile(reopened, path, start, end), `range ${start} to ${end}`, 'INVALID_ARGUMENT');
      }
    },
  },
  {
    name: 'reads a source twice, and lets a reader stop early',
    async run(session) {
      await session.driver.init();
      const bytes = noise(3 * mebibyte, 1);
      const { digest } = await session.writeBlob(bytes);
      const source = await (await session.reopen()).reader(blobPath(digest));
      for await (const chunk of source.read()) {
        assertBytes(chunk, bytes.subarray(0, chunk.byteLength), 'the first chunk');
        break;
      }
      await session.expectFile(blobPath(digest), bytes);
    },
  },
  {
    name: 'takes 3 MiB in odd chunks, empty ones among them',
    async run(session) {
      await session.driver.init();
      const bytes = noise(3 * mebibyte, 1);
      const digest = await digestBytes(bytes);
      const writer = await session.startBlob(pieces(bytes, 1, 0, 511, 65_537, 7, 300_001, 4096), { size: bytes.byteLength, digest });
      assertEqual(await writer.commit(), { digest, size: bytes.byteLength }, 'what commit returns');
      await session.expectFile(blobPath(digest), bytes);
    },
  },
  {
    name: 'takes an empty blob',
    async run(session) {
      await session.driver.init();
      const digest = await digestBytes(new Uint8Array());
      const writer = await session.driver.blobWriter({ size: 0, digest });
      assertEqual(await writer.commit({ size: 0, digest }), { digest, size: 0 }, 'what commit returns');
      await session.expectFile(blobPath(digest), new Uint8Array());
    },
  },
  {
    name: 'takes the same blob twice and has it once',
    async run(session) {
      await session.driver.init();
      const bytes = noise(10_000, 1);
      const digest = await digestBytes(bytes);
      for (const options of [{}, {}, { digest, size: 10_000 }]) {
        assertEqual(await session.writeBlob(bytes, options), { digest, size: 10_000 }, 'what commit returns');
      }
      await session.expectFile(blobPath(digest), bytes);
    },
  },
  {
    name: 'checks a blob that it has already as strictly as a new one',
    async run(session) {
      await session.driver.init();
      const { digest } = await session.writeBlob(noise(1000, 1));
      await assertRejects(() => session.writeBlob(noise(1000, 2), {}, { digest }), 'other bytes', 'DIGEST_MISMATCH');
    },
  },
  {
    name: 'keeps a blob under another algorithm in a folder of its own',
    async run(session) {
      await session.driver.init();
      const bytes = noise(5000, 1);
      const digest = await digestBytes(bytes, 'sha512');
      assertEqual((await session.writeBlob(bytes, { algorithm: 'sha512' })).digest, digest, 'digest by algorithm');
      assertEqual((await session.writeBlob(bytes, { digest })).digest, digest, 'digest by the one expected');
      assert(blobPath(digest).startsWith('blobs/sha512/'), 'path');
      await session.expectFile(blobPath(digest), bytes);
    },
  },
  {
    name: 'tells the digest after commit',
    async run(session) {
      await session.driver.init();
      const bytes = noise(1000, 1);
      const writer = await session.startBlob([bytes]);
      await writer.commit();
      assertEqual(writer.digest, await digestBytes(bytes), 'digest');
    },
  },
  {
    name: 'shows nothing of a blob before its commit',
    on: 'random',
    async run(session) {
      await session.driver.init();
      const bytes = noise(mebibyte, 1);
      const digest = await digestBytes(bytes);
      const writer = await session.startBlob(pieces(bytes, 65_536), { digest, size: mebibyte });
      await session.expectInvisible(blobPath(digest));
      await writer.commit();
      await session.expectFile(blobPath(digest), bytes);
    },
  },
  ...['too few', 'too many'].map((what): DriverCase => ({
    name: `a blob of ${what} bytes is SIZE_MISMATCH and is not there`,
    async run(session) {
      await session.driver.init();
      const bytes = noise(2000, 1);
      const digest = await digestBytes(bytes);
      const size = what === 'too few' ? 2001 : 1999;
      const writer = await session.startBlob([bytes]);
      await assertRejects(() => writer.commit({ size }), 'a size that commit is told', 'SIZE_MISMATCH');
      await session.expectInvisible(blobPath(digest));
      await assertRejects(() => session.writeBlob(bytes, { size }), 'a size that the writer is told', 'SIZE_MISMATCH');
      await session.expectAbsent(blobPath(digest));
    },
  })),
  {
    name: 'a blob of the wrong digest is DIGEST_MISMATCH and is not there under either',
    async run(session) {
      await session.driver.init();
      const bytes = noise(2000, 1);
      const [digest, other] = [await digestBytes(bytes), await digestBytes(noise(2000, 2))];
      const writer = await session.startBlob([bytes]);
      await assertRejects(() => writer.commit({ size: 2000, digest: other }), 'a digest that commit is told', 'DIGEST_MISMATCH');
      await session.expectInvisible(blobPath(digest));
      await assertRejects(() => session.writeBlob(bytes, { size: 2000, digest: other }), 'a digest that the writer is told', 'DIGEST_MISMATCH');
      await session.expectAbsent(blobPath(digest));
      await session.expectAbsent(blobPath(other));
    },
  },
  {
    name: 'a large blob of the wrong digest leaves nothing',
    async run(session) {
      await session.driver.init();
      const bytes = noise(3 * mebibyte, 1);
      const other = await digestBytes(noise(10, 2));
      const writer = await session.startBlob(pieces(bytes, 65_536), { size: bytes.byteLength, digest: other });
      await assertRejects(() => writer.commit(), 'commit', 'DIGEST_MISMATCH');
      await session.expectAbsent(blobPath(other));
    },
  },
  {
    name: 'tells the wrong size where both are wrong',
    async run(session) {
      await session.driver.init();
      const writer = await session.startBlob([noise(10, 1)]);
      const digest = await digestBytes(noise(10, 2));
      await assertRejects(() => writer.commit({ size: 11, digest }), 'commit', 'SIZE_MISMATCH');
    },
  },
  {
    name: 'leaves nothing of an aborted blob',
    async run(session) {
      await session.driver.init();
      const bytes = noise(400_000, 1);
      const writer = await session.startBlob(pieces(bytes, 100_000));
      await writer.abort(new Error('given up'));
      await writer.abort();
      await assertRejects(() => writer.commit(), 'commit after abort');
      await assertRejects(() => writer.write(bytes), 'write after abort');
      const { digest } = await session.writeBlob(noise(10, 2));
      await session.expectFile(blobPath(digest), noise(10, 2));
      await session.expectAbsent(blobPath(await digestBytes(bytes)));
    },
  },
  {
    name: 'a committed blob takes no more bytes and stays when its writer is aborted',
    async run(session) {
      await session.driver.init();
      const bytes = noise(1000, 1);
      const writer = await session.startBlob([bytes]);
      const { digest } = await writer.commit();
      await assertRejects(() => writer.write(bytes), 'write after commit');
      await assertRejects(() => writer.commit(), 'second commit');
      await writer.abort();
      await session.expectFile(blobPath(digest), bytes);
    },
  },
  {
    name: 'takes many blobs at once, the same one among them',
    on: 'random',
    async run(session) {
      await session.driver.init();
      // 48 different ones, 16 of them twice.
      const blobs = Array.from({ length: 64 }, (_, i) => noise(1000 * (i % 48) + 1, i % 48));
      const written = await Promise.all(
        blobs.map(async (bytes) => {
          const writer = await session.startBlob(pieces(bytes, 10_000));
          return writer.commit();
        }),
      );
      const reopened = await session.reopen();
      for (const [i, { digest }] of written.entries()) assertBytes(await readFile(reopened, blobPath(digest)), blobs[i] ?? new Uint8Array(), digest);
    },
  },
  ...sealCases,
];
