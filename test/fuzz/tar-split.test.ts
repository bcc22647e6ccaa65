import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble, disassemble, disassembleUpstream, isOciTarError } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MemoryPayloads } from '../tar-split/payloads.ts';
import { endMarker, join as joined, rawEntry, rawHeader, rawPax } from '../tar/raw.ts';
import { gather, inRuns } from '../tar/streams.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import { seed as firstSeed } from '../support/seed.ts';

/** How long it is tried; a longer run is asked for with OCI_TAR_FUZZ_SECONDS, a finding run again with OCI_TAR_SEED. */
const seconds = Number(process.env['OCI_TAR_FUZZ_SECONDS'] ?? '3');

const plain = joined(
  rawEntry({ name: 'g', typeflag: 'g' }, rawPax({ comment: 'c' })),
  rawEntry({ name: 'd/', typeflag: '5' }),
  rawEntry({ name: 'd/a' }, 'a body that is longer than its digest would be'),
  rawEntry({ name: 'x', typeflag: 'x' }, rawPax({ path: 'p'.repeat(200), size: '600' })),
  rawHeader({ name: 'p', size: 0 }), new Uint8Array(1024).fill(5),
  rawEntry({ name: '././@LongLink', typeflag: 'L', format: 'gnu' }, `${'l'.repeat(700)}\0`), rawEntry({ name: 'l', format: 'gnu' }, 'x'.repeat(5000)),
  rawHeader({ name: 'hard', typeflag: '1', linkname: 'd/a', size: 46 }),
);
const sparse = joined(rawHeader({ name: 's', typeflag: 'S', format: 'gnu', size: 512, patch: [[482, Uint8Array.of(1)], [483, Buffer.from('00000040000\0')]] }), new Uint8Array(1024));
const seeds: Uint8Array[] = [joined(plain, endMarker), joined(plain, endMarker, new Uint8Array(8192)), joined(plain, sparse, endMarker), joined(rawEntry({ name: 'a' }, 'b'.repeat(100)), rawEntry({ name: 'a' }, 'c'.repeat(100)))];
let directory = '';

/** Real archives, where there is a tar to write them. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'oci-tar-fuzz-'));
  for (let i = 0; i < 5; i++) writeFileSync(join(directory, `file${i}${'n'.repeat(i * 40)}`), String(i).repeat(i * 300));
  writeFileSync(join(directory, 'sparse'), 'start');
  truncateSync(join(directory, 'sparse'), 200_000);
  for (const format of ['v7', 'ustar', 'gnu', 'posix']) {
    const { stdout, error } = spawnSync('tar', ['--create', ...(format === 'gnu' ? ['--sparse'] : []), `--format=${format}`, '--file=-', '.'], { cwd: directory, maxBuffer: 2 ** 24 });
    if (error === undefined && stdout.length > 0) seeds.push(new Uint8Array(stdout));
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('mutated archives come back byte for byte, in upstream\'s format too or not at all; mutated metadata give the archive or an error', { timeout: seconds * 1000 + 20_000 }, async () => {
  const until = Date.now() + seconds * 1000;
  const outcomes = new Map<string, number>();
  const count = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  for (let seed = firstSeed, runs = 0; runs === 0 || Date.now() < until; seed++, runs++) {
    const random = new Random(seed);
    const label = `OCI_TAR_SEED=${seed}`;
    const input = mutate(random.pick(seeds), random);
    const lengths = [random.below(3000) + 1, 65_536];
    const payloads = new MemoryPayloads();
    const own = await gather(disassemble(inRuns(input, lengths), payloads));
    expect(Buffer.compare(await gather(assemble(inRuns(own, lengths), payloads)), input), label).toBe(0);
    count('own');
    const upstream = await attempt(gather(disassembleUpstream(inRuns(input, lengths), payloads)), label);
    if (upstream instanceof Uint8Array) expect(Buffer.compare(await gather(assemble(inRuns(upstream, lengths), payloads)), input), label).toBe(0);
    count(upstream instanceof Uint8Array ? 'upstream' : `upstream ${upstream}`);

    const damaged = mutate(random.below(2) === 0 || !(upstream instanceof Uint8Array) ? own : upstream, random);
    const output = await attempt(gather(assemble(inRuns(damaged, lengths), payloads, { limits: { archive: 2 ** 24 } })), label);
    // Our own format has the digest of the whole; upstream's does not notice another header.
    if (output instanceof Uint8Array && damaged[0] === 0x6f) expect(Buffer.compare(output, input), label).toBe(0);
    count(output instanceof Uint8Array ? 'damaged, read' : `damaged, ${output}`);
  }
  console.log(`fuzz tar-split from seed ${firstSeed}: ${[...outcomes].sort((a, b) => b[1] - a[1]).map(([outcome, times]) => `${outcome} ${times}`).join(', ')}`);
});

/** What came out, or the code of the library's own error; any other one is a finding. */
async function attempt(work: Promise<Uint8Array>, label: string): Promise<Uint8Array | string> {
  try {
    return await work;
  } catch (error) {
    if (isOciTarError(error)) return error.code;
    throw new Error(`${label}: ${String(error)}`, { cause: error });
  }
}
