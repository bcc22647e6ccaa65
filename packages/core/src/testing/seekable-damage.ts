import { isOciTarError } from '../errors.ts';
import { assert, assertRejects, noise } from './assert.ts';
import type { SeekableCase } from './seekable-conformance.ts';
import { file, sampleTree } from './seekable-session.ts';

const tree = [file('a', noise(3000, 1)), file('b', new Uint8Array(2000).fill(0x62)), file('c', noise(50, 2))];

/** What is refused. */
export const damageCases: readonly SeekableCase[] = [
  {
    name: 'finds a changed byte wherever it is',
    async run(session) {
      const built = await session.build(tree, { chunkSize: 1000 });
      const { tocDigest, digest, diffID } = built.report;
      // Some 60 places, so that members, TOC and footer have their turn.
      const step = Math.ceil(built.blob.length / 60);
      for (let at = 0; at < built.blob.length; at += at + step < built.blob.length - 80 ? step : 7) {
        const blob = built.blob.slice();
        blob[at] = (blob[at] ?? 0) ^ 0x10;
        await rejected(() => session.verify(built, { tocDigest, digest, diffID }, blob), `byte ${at} changed`);
      }
    },
  },
  {
    name: 'finds content in another place by the TOC alone',
    async run(session) {
      const built = await session.build([file('a', noise(1000, 1)), file('b', noise(1000, 2)), file('c', noise(1000, 3))]);
      const { chunks } = await session.open(built);
      const [first, second] = chunks.slice(-2);
      assert(first !== undefined && second !== undefined, 'two members are needed');
      const { blob } = built;
      const swapped = new Uint8Array([...blob.slice(0, first.offset), ...blob.slice(second.offset, second.nextOffset), ...blob.slice(first.offset, first.nextOffset), ...blob.slice(second.nextOffset)]);
      for (const level of [2, 3] as const) await rejected(() => session.verify(built, { level, tocDigest: built.report.tocDigest }, swapped), 'two members swapped');
    },
  },
  {
    name: 'refuses a blob that is cut off anywhere',
    async run(session) {
      const built = await session.build(tree);
      for (const length of [0, 1, 20, Math.floor(built.blob.length / 2), built.blob.length - 100, built.blob.length - 1]) {
        await rejected(() => session.open(built, built.blob.slice(0, length)), `${length} bytes of ${built.blob.length}`);
      }
    },
  },
  {
    name: 'refuses bytes before the members and after the footer',
    async run(session) {
      const built = await session.build(tree);
      for (const blob of [new Uint8Array([0, ...built.blob]), new Uint8Array([...built.blob, 0])]) await rejected(() => session.verify(built, {}, blob), 'a byte too many');
    },
  },
  {
    name: 'holds to the limit of the TOC',
    async run(session) {
      const built = await session.build(sampleTree);
      await assertRejects(() => session.open(built, built.blob, { tocLimit: 100 }), 'a TOC over the limit', 'LIMIT_EXCEEDED');
    },
  },
];

/** Every failure has to be one of ours: any other would be a crash. */
async function rejected(work: () => Promise<unknown>, what: string): Promise<void> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    if (isOciTarError(error)) return;
    throw new Error(`${what}: it should fail with an error of the library, but: ${String(error)}`, { cause: error });
  }
  assert(false, `${what}: it should fail, but resolved to ${JSON.stringify(result)}`);
}
