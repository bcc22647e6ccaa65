import { bytesSource, readArchive, tarReader, verifyImages } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { flipped } from '../hostile/archives.ts';
import { refused, ways } from '../hostile/attempt.ts';
import { listed } from '../support/images.ts';
import { compressed, docker1, docker24, json, skopeo, tarOf, text } from './docker-archives.ts';
import type { Entry } from './docker-archives.ts';
import { asItem, but, good, lower, one, upper } from './docker-bad-samples.ts';

const gzipped = await compressed('gzip', upper);
const legacy = await docker1(one);
const legacyTop = /([0-9a-f]{64})"\}\}$/.exec(new TextDecoder().decode(legacy.at(-1)?.body))?.[1] ?? '';

const cases: readonly (readonly [what: string, code: ErrorCode, entries: readonly Entry[]])[] = [
  ['more layers than diffIDs', 'INVALID_MANIFEST', asItem({ Layers: ['lower.tar', 'upper.tar', 'upper.tar'] })],
  ['fewer layers than diffIDs', 'INVALID_MANIFEST', asItem({ Layers: ['lower.tar'] })],
  ['layers in another order than their diffIDs', 'DIGEST_MISMATCH', asItem({ Layers: ['upper.tar', 'lower.tar'] })],
  ['a plain layer of which one bit is wrong', 'DIGEST_MISMATCH', but({ name: 'upper.tar', body: flipped(upper, 600) })],
  ['a layer of which the end is missing', 'DIGEST_MISMATCH', but({ name: 'upper.tar', body: upper.subarray(0, 1024) })],
  ['a gzip layer of other content', 'DIGEST_MISMATCH', but({ name: 'upper.tar', body: await compressed('gzip', lower) })],
  ['a zstd layer of other content', 'DIGEST_MISMATCH', but({ name: 'upper.tar', body: await compressed('zstd', lower) })],
  ['a gzip layer that is cut off', 'INVALID_COMPRESSION', but({ name: 'upper.tar', body: gzipped.subarray(0, gzipped.length - 9) })],
  ['a gzip layer with rubbish after it', 'INVALID_COMPRESSION', but({ name: 'upper.tar', body: Uint8Array.of(...gzipped, 1, 2, 3, 4) })],
  ['a layer of xz', 'UNSUPPORTED', but({ name: 'upper.tar', body: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4) })],
  ['a layer of bzip2', 'UNSUPPORTED', but({ name: 'upper.tar', body: text('BZh91AY&SY') })],
  ['one layer for two diffIDs', 'INVALID_MANIFEST', asItem({ Layers: ['lower.tar', 'lower.tar'] })],
  ['a repositories that is a list', 'INVALID_MANIFEST', [{ name: 'repositories', body: text('[]') }]],
  ['a repositories whose tags are no object', 'INVALID_MANIFEST', [{ name: 'repositories', body: json({ a: 'b' }) }]],
  ['a repositories whose id is no string', 'INVALID_MANIFEST', [{ name: 'repositories', body: json({ a: { b: 1 } }) }]],
  ['a repositories whose id leads out', 'UNSAFE_PATH', [{ name: 'repositories', body: json({ a: { b: '../x' } }) }]],
  ['a repositories whose layer is not there', 'NOT_FOUND', legacy.filter(({ name }) => name !== `${legacyTop}/layer.tar`)],
  ['an old layer whose json is not there', 'NOT_FOUND', legacy.filter(({ name }) => name !== `${legacyTop}/json`)],
  ['an old layer whose json is no object', 'INVALID_MANIFEST', legacy.map((entry) => (entry.name === `${legacyTop}/json` ? { ...entry, body: text('"x"') } : entry))],
  ['an old layer that is its own ancestor', 'INVALID_LAYOUT', legacy.map((entry) => (entry.name === `${legacyTop}/json` ? { ...entry, body: json({ id: legacyTop, parent: legacyTop }) } : entry))],
  ['an old layer that does not decompress', 'INVALID_COMPRESSION', legacy.map((entry) => (entry.name === `${legacyTop}/layer.tar` ? { ...entry, body: gzipped.subarray(0, 40) } : entry))],
];

describe.each(ways)('by %s, a docker archive', (way) => {
  it.each(cases)('with %s is refused (%s)', async (_what, code, entries) => {
    await refused(way, tarOf(entries), code);
  });
});

describe('the verification of a docker archive', () => {
  const problems = async (entries: readonly Entry[]) => {
    const store = await readArchive(await tarReader(bytesSource(tarOf(entries)), { name: 'in.tar' }));
    return (await verifyImages(store, await listed(store))).problems.map(({ code }) => code);
  };

  it('finds plain and compressed layers that are not what the config says, and goes on', async () => {
    expect(await problems(good)).toEqual([]);
    expect(await problems(but({ name: 'upper.tar', body: flipped(upper, 600) }))).toEqual(['DIGEST_MISMATCH']);
    expect(await problems(but({ name: 'upper.tar', body: await compressed('gzip', lower) }))).toEqual(['DIGEST_MISMATCH']);
    expect(await problems(but({ name: 'upper.tar', body: gzipped.subarray(0, 50) }, { name: 'lower.tar', body: flipped(lower, 600) }))).toEqual(expect.arrayContaining(['INVALID_COMPRESSION', 'DIGEST_MISMATCH']));
  });

  it('finds nothing wrong in the archives of docker and skopeo', async () => {
    expect(await problems(await docker24(one))).toEqual([]);
    expect(await problems(await skopeo(one))).toEqual([]);
  });
});
