import { describe, expect, it } from 'vitest';
import { isOciTarError } from '@oci-tar/core';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { asPlainFile, fileBytes } from '../../packages/core/src/tar/sparse.ts';
import type { TarEntryWithData } from '../../packages/core/src/tar/entries.ts';
import { tokens } from '../../packages/core/src/tar/tokens.ts';
import { xattrs } from '../../packages/core/src/tar/xattr.ts';
import { CountingSource, gather, inRuns, list } from '../tar/streams.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import { tarSeeds } from './tar-seeds.ts';
import { seed as firstSeed } from '../support/seed.ts';

/** A longer run is asked for with OCI_TAR_FUZZ_SECONDS, a finding run again with OCI_TAR_SEED. */
const seconds = Number(process.env['OCI_TAR_FUZZ_SECONDS'] ?? '5');

/** Run every time, before the new ones: one of each writer and a spread of mutations; findings are added here. */
const kept: readonly number[] = Array.from({ length: 24 }, (_, i) => i + 1);

/** Bytes of a file that a run expands a map to. */
const sizeLimit = 2 ** 24;
const memoryLimit = 700 * 2 ** 20;

const odd = ['0', '1', '-1', '512', '4096', '999999999', '9007199254740991', '9007199254740993', '99999999999999999999', '', ' ', '1e9', '0x10', '\0', '\xff'];

/** Changes a number somewhere in the text of an archive: in PAX records, maps of sparse files, octal fields. */
function oddNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const found = [...Buffer.from(bytes).toString('latin1').matchAll(/\d{1,12}/g)];
  if (found.length === 0) return bytes;
  const match = random.pick(found);
  const changed = Uint8Array.from(bytes);
  // Of the same length mostly, so that the records after it stay where they are.
  changed.set(Buffer.from(random.pick(odd).padStart(match[0].length, '0').slice(0, match[0].length), 'latin1'), match.index);
  return changed;
}

async function outcomeOf(work: () => Promise<unknown>, label: string): Promise<string> {
  try {
    return String(await work());
  } catch (error) {
    if (isOciTarError(error)) return `${error.code} ${error.message}`;
    throw new Error(`${label}: not one of our errors`, { cause: error });
  }
}

async function* plain(input: Uint8Array, runs: readonly number[]): AsyncGenerator<TarEntryWithData, void, void> {
  for await (const entry of entries(inRuns(input, runs), { requireEnd: false })) yield asPlainFile(entry, { sizeLimit });
}

async function length(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let total = 0;
  for await (const run of stream) total += run.length;
  return total;
}

async function tried(input: Uint8Array, random: Random, label: string): Promise<string> {
  const runs = [random.below(2000) + 1, random.below(70_000) + 1];
  const raw = await list(tokens(inRuns(input, runs), { onInvalid: 'raw' }));
  expect(Buffer.compare(await gather(raw.map((token) => token.bytes)), input), `${label}: joined tokens`).toBe(0);
  const through = await outcomeOf(async () => (await list(entries(inRuns(input, runs)))).length, label);
  expect(await outcomeOf(async () => (await indexTar(new CountingSource(input))).length, label), `${label}: the index`).toBe(through);
  for await (const entry of entries(inRuns(input, runs), { requireEnd: false })) {
    xattrs(entry);
    await outcomeOf(() => length(fileBytes(entry, entry.data, { sizeLimit })), label);
    if (!raw.some((token) => token.kind === 'header' && token.offset === entry.offset)) throw new Error(`${label}: an entry without a token`);
  }
  return through;
}

describe('mutated tars', () => {
  it('neither hang nor overrun: their tokens are their bytes, their index is what reading through finds', { timeout: seconds * 1000 + 60_000 }, async () => {
    const archives = await tarSeeds();
    const until = performance.now() + seconds * 1000;
    const outcomes = new Map<string, number>();
    let runs = 0;
    for (let next = 0; next < kept.length || performance.now() < until; next++, runs++) {
      const seed = kept[next] ?? firstSeed + next - kept.length;
      const random = new Random(seed);
      const { name, bytes } = random.pick(archives);
      const label = `OCI_TAR_SEED=${seed}, ${name}`;
      let input = random.below(2) === 0 ? oddNumber(bytes, random) : mutate(bytes, random);
      if (random.below(8) === 0) input = oddNumber(input, random);
      const outcome = await tried(input, random, label).catch((error: unknown) => {
        if (isOciTarError(error)) return error.code;
        throw error;
      });
      const repacked = await outcomeOf(() => length(pieceBytes(pack(plain(input, [65_536])))), label);
      for (const key of [/^\d+$/.test(outcome) ? 'read' : outcome.split(' ')[0] ?? '', /^\d+$/.test(repacked) ? 'packed again' : `${repacked.split(' ')[0]} when packed`]) outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      expect(process.memoryUsage().rss, `${label}: memory`).toBeLessThan(memoryLimit);
    }
    console.log(`fuzz tar: ${runs} runs on ${archives.length} archives from seed ${firstSeed}: ${[...outcomes].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`).join(', ')}`);
    // Changes that nothing minds are some, refusals are some: without either the test would prove nothing.
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['read', 'INVALID_TAR', 'packed again']));
  });
});
