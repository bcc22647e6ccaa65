import { digestBytes } from '../bytes/digest.ts';
import { collect } from '../bytes/source.ts';
import type { BlobWriter, ExpectedBlob, SealedBlob } from '../layout/driver.ts';
import { blobPath } from '../spec/digest.ts';
import { assertBytes, assertEqual, assertRejects, noise } from './assert.ts';
import type { DriverCase } from './driver-conformance.ts';

/** Blobs that wait, complete, outside the layout. A driver that has no place for that offers no `seal`. */
export const sealCases: readonly DriverCase[] = [
  {
    name: 'a sealed blob can be read, is invisible, and appears at its commit',
    async run(session) {
      await session.driver.init();
      const bytes = noise(300_000, 1);
      const writer = await session.startBlob([bytes]);
      const sealed = await seal(writer, { size: bytes.byteLength });
      if (sealed === undefined) return;
      assertEqual([sealed.digest, sealed.size, writer.digest], [await digestBytes(bytes), bytes.byteLength, sealed.digest], 'what is sealed');
      const source = sealed.source();
      assertEqual(source.size, bytes.byteLength, 'size of the source');
      assertBytes(await collect(source.read(1000, 2000), 1000, 'source'), bytes.subarray(1000, 2000), 'a range of the source');
      await session.expectInvisible(blobPath(sealed.digest));
      await sealed.commit();
      assertBytes(await collect(source.read(), bytes.byteLength, 'source'), bytes, 'the source after commit');
      await session.expectFile(blobPath(sealed.digest), bytes);
    },
  },
  {
    name: 'a sealed blob that is aborted leaves nothing',
    async run(session) {
      await session.driver.init();
      const sealed = await seal(await session.startBlob([noise(1000, 1)]));
      if (sealed === undefined) return;
      await sealed.abort();
      await sealed.abort();
      await session.expectAbsent(blobPath(sealed.digest));
    },
  },
  {
    name: 'a sealed blob that is never committed is not there afterwards',
    async run(session) {
      await session.driver.init();
      const sealed = await seal(await session.startBlob([noise(1000, 1)]));
      if (sealed !== undefined) await session.expectAbsent(blobPath(sealed.digest));
    },
  },
  {
    name: 'a committed seal stays when it, its writer or its twin is aborted',
    async run(session) {
      await session.driver.init();
      const bytes = noise(1000, 1);
      const writers = [await session.startBlob([bytes]), await session.startBlob([bytes])] as const;
      const [one, twin] = [await seal(writers[0]), await seal(writers[1])];
      if (one === undefined || twin === undefined) return;
      await one.commit();
      await one.commit();
      await twin.abort();
      await one.abort();
      await writers[0].abort();
      await session.expectFile(blobPath(one.digest), bytes);
    },
  },
  {
    name: 'sealing checks size and digest',
    async run(session) {
      await session.driver.init();
      const bytes = noise(1000, 1);
      const probe = await session.driver.blobWriter();
      await probe.abort();
      if (probe.seal === undefined) return;
      const [small, other] = [await session.startBlob([bytes]), await session.startBlob([bytes])];
      await assertRejects(() => small.seal?.({ size: 999 }) ?? Promise.resolve(), 'wrong size', 'SIZE_MISMATCH');
      const digest = await digestBytes(noise(1000, 2));
      await assertRejects(() => other.seal?.({ digest }) ?? Promise.resolve(), 'wrong digest', 'DIGEST_MISMATCH');
      await session.expectAbsent(blobPath(await digestBytes(bytes)));
    },
  },
];

async function seal(writer: BlobWriter, expected?: ExpectedBlob): Promise<SealedBlob | undefined> {
  if (writer.seal !== undefined) return writer.seal(expected);
  await writer.abort();
  return undefined;
}
