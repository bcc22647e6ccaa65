import { bytesSource, collect, decompressed, importImages, importStream, isOciTarError, readArchive, tarReader, verifyImages } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { listed, memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { archiveOf, forged } from './graph.ts';
import type { Files } from './graph.ts';
import { mutate } from './mutate.ts';
import type { PeerSeeds } from './peer-seeds.ts';
import { Random } from './random.ts';
import { filesOf, seeds } from './seeds.ts';
import type { Seed } from './seeds.ts';
import { inTree, mutatedTree } from './trees.ts';
import { seed as firstSeed } from '../support/seed.ts';

/** How long each way in is tried; a longer run is asked for with OCI_TAR_FUZZ_SECONDS, a finding run again with OCI_TAR_SEED. */
const seconds = Number(process.env['OCI_TAR_FUZZ_SECONDS'] ?? '6');

/** Far more than any of them takes, also on a busy machine. */
const hang = 10_000;
/** The archives have 100 KB; what a lie in them may make the reader hold is a few MiB. */
const memoryLimit = 600 * 1024 * 1024;
/** A run that has found so much need not go on. */
const mostFindings = 20;

/** One mutated input, taken into a store. */
type Execution = { readonly what: string; readonly load: (target: ImageStore) => Promise<unknown> };

const ways: readonly (readonly [string, (random: Random) => Promise<Execution>])[] = [
  ['from a file', (random) => archived(random, async (bytes, target) => importImages(await opened(bytes), { target }))],
  ['from a pipe', (random) => archived(random, (bytes, target) => importStream(cut(bytes, [700, 64, 5000]), { target }))],
  ['from a directory', async (random) => {
    const tree = random.pick(given.trees);
    const files = mutatedTree(tree, random);
    return { what: tree.name, load: (target) => inTree(tree.kind, files, (source) => importImages(source, { target, name: 'example.org/fuzz:1' })) };
  }],
];

let given: PeerSeeds;
const contents = new Map<Seed, Files>();

beforeAll(async () => {
  given = await seeds();
  for (const seed of given.archives) contents.set(seed, await filesOf(seed.bytes));
  const { archives, trees, absent } = given;
  console.log(`fuzz: ${archives.length} archives and ${trees.length} directories to mutate: ${[...archives, ...trees].map(({ name }) => name).join('; ')}${absent.length === 0 ? '' : `; without ${absent.join(', ')}`}`);
}, 120_000);

describe('mutated archives', () => {
  it('are made of sound ones', async () => {
    for (const { name, bytes } of given.archives) {
      expect(await outcomeOf(async (target) => importImages(await opened(bytes), { target, digests: true })), name).toBe('imported');
      expect(await outcomeOf((target) => importStream(cut(bytes), { target, digests: true })), name).toBe('imported');
    }
    for (const { name, kind, files } of given.trees) expect(await outcomeOf((target) => inTree(kind, files, (source) => importImages(source, { target, name: 'a:1' }))), name).toBe('imported');
  });

  it.for(ways)('%s neither hang nor crash, and leave a store that verifies', { timeout: seconds * 1000 + 2 * hang }, async ([way, make], { skip }) => {
    skip(way === 'from a directory' && given.trees.length === 0, given.absent.join(', '));
    const outcomes = new Map<string, number>();
    const findings: string[] = [];
    const begun = Date.now();
    let executions = 0;
    let memory = 0;
    for (let seed = firstSeed; executions === 0 || Date.now() - begun < seconds * 1000; seed++, executions++) {
      const { what, load } = await make(new Random(seed));
      const outcome = await outcomeOf(load);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      memory = Math.max(memory, process.memoryUsage().rss);
      if (!/^(?:imported|[A-Z_]+)$/.test(outcome) || memory > memoryLimit) findings.push(`OCI_TAR_SEED=${seed} ${way}, ${what}: ${outcome}, ${Math.round(memory / 2 ** 20)} MiB`);
      if (findings.length >= mostFindings) break;
    }
    const codes = [...outcomes].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`);
    console.log(`fuzz ${way}: ${executions} executions in ${((Date.now() - begun) / 1000).toFixed(1)} s from seed ${firstSeed}, ${findings.length} findings, at most ${Math.round(memory / 2 ** 20)} MiB; ${codes.join(', ')}`);
    expect(findings).toEqual([]);
    // Mutations that nothing minds (padding, times) are some, refusals are most: without either the test would prove nothing.
    if (executions > 100) expect(outcomes.size).toBeGreaterThan(1);
  });
});

async function archived(random: Random, load: (bytes: Uint8Array, target: ImageStore) => Promise<unknown>): Promise<Execution> {
  const seed = random.pick(given.archives);
  // One in three is forged with care: its digests are right.
  const isForged = random.below(3) === 0;
  const bytes = isForged ? await archiveOf(forged(contents.get(seed) ?? new Map(), random)) : mutate(seed.bytes, random);
  return { what: `${seed.name}${isForged ? ', forged' : ''}`, load: (target) => load(bytes, target) };
}

async function opened(bytes: Uint8Array): Promise<ImageStore> {
  const plain = (await decompressed(cut(bytes))).bytes;
  return readArchive(await tarReader(bytesSource(await collect(plain, 10_000_000, 'the archive'))));
}

/** One import into a new store: `imported`, the code of the error, or in other words what must not be. */
async function outcomeOf(load: (target: ImageStore) => Promise<unknown>): Promise<string> {
  const target = memoryStore();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`hangs for ${hang} ms`), hang);
  });
  const done = load(target).then(
    () => 'imported',
    (error: unknown) => (isOciTarError(error) ? error.code : `not one of our errors: ${error instanceof Error ? error.stack : String(error)}`),
  );
  const outcome = await Promise.race([late, done]);
  clearTimeout(timer);
  const { problems } = await verifyImages(target, await listed(target));
  // What a compressed layer unpacks to is the one thing that an import leaves to `verify`: a forger may give it another diffID.
  const [problem] = problems.filter(({ descriptor }) => !/[.+](?:gzip|zstd)$/.test(descriptor.mediaType));
  return problem === undefined ? outcome : `${outcome}, and the store does not verify: ${problem.code} ${problem.message}`;
}
