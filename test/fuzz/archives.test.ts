import { describe, expect, it } from 'vitest';
import { bytesSource, collect, decompressed, importImages, importStream, isOciTarError, layoutStore, tarReader, verifyImages } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { listed, memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { archiveOf, forged } from './graph.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import { filesOf, seeds } from './seeds.ts';

/** How long each way in is tried; a longer run is asked for with OCI_TAR_FUZZ_SECONDS, a finding run again with OCI_TAR_FUZZ_SEED. */
const seconds = Number(process.env['OCI_TAR_FUZZ_SECONDS'] ?? '6');
const firstSeed = Number(process.env['OCI_TAR_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

/** Far more than any of them takes, also on a busy machine. */
const hang = 10_000;
/** The archives have 30 KB; what a lie in them may make the reader hold is a few MiB. */
const memoryLimit = 600 * 1024 * 1024;

const ways: readonly (readonly [string, (bytes: Uint8Array, target: ImageStore) => Promise<unknown>])[] = [
  ['from a file', async (bytes, target) => importImages(await opened(bytes), { target })],
  ['from a pipe', (bytes, target) => importStream(cut(bytes, [700, 64, 5000]), { target })],
];

describe('mutated archives', () => {
  it.each(ways)('%s neither hang nor crash, and leave a store that verifies', { timeout: seconds * 1000 + 2 * hang }, async (way, load) => {
    const archives = await seeds();
    const [ours] = archives;
    const whole = await filesOf(ours?.bytes ?? new Uint8Array());
    const until = Date.now() + seconds * 1000;
    const outcomes = new Map<string, number>();
    let runs = 0;
    for (let seed = firstSeed; runs === 0 || Date.now() < until; seed++, runs++) {
      const random = new Random(seed);
      const { name, bytes } = random.pick(archives);
      const label = `OCI_TAR_FUZZ_SEED=${seed} ${way}, ${name}`;
      // One in three is forged with care: its digests are right.
      const input = random.below(3) === 0 ? await archiveOf(forged(whole, random)) : mutate(bytes, random);
      const outcome = await tried(input, load, label);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    console.log(`fuzz ${way}: ${runs} runs from seed ${firstSeed}: ${[...outcomes].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`).join(', ')}`);
    // Mutations that nothing minds (padding, times) are some, refusals are most: without either the test would prove nothing.
    expect(outcomes.size).toBeGreaterThan(1);
  });
});

async function opened(bytes: Uint8Array): Promise<ImageStore> {
  const plain = (await decompressed(cut(bytes))).bytes;
  return layoutStore(await tarReader(bytesSource(await collect(plain, 10_000_000, 'the archive'))));
}

/** One import into a new store: `imported`, or the code of the error. */
async function tried(bytes: Uint8Array, load: (bytes: Uint8Array, target: ImageStore) => Promise<unknown>, label: string): Promise<string> {
  const target = memoryStore();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), hang);
  });
  const outcome = await Promise.race([
    late,
    load(bytes, target).then(
      () => 'imported',
      (error: unknown) => {
        if (isOciTarError(error)) return error.code;
        throw new Error(`${label}: not one of our errors`, { cause: error });
      },
    ),
  ]);
  clearTimeout(timer);
  expect(outcome, `${label}: hangs`).not.toBe('late');
  expect(process.memoryUsage().rss, `${label}: memory`).toBeLessThan(memoryLimit);
  const report = await verifyImages(target, await listed(target));
  // What a compressed layer unpacks to is the one thing that an import leaves to `verify`; here a forger only has to call a layer gzip.
  expect(report.problems.filter(({ descriptor }) => !/\+(gzip|zstd)$/.test(descriptor.mediaType)), label).toEqual([]);
  return outcome;
}
