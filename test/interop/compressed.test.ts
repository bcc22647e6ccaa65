import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { codecByName, importStream } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestsOf, expectVerified, exported, freshStore, imported, temporaryDirectory } from './files.ts';
import { makeSamples, moreNames, sampleKeys } from './images.ts';
import type { Samples } from './images.ts';
import { describeWith } from './peers/peer.ts';
import { run } from './peers/tool.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const everything = () => [...sampleKeys.map((key) => samples.of[key].name), ...moreNames];

describeWith('archives compressed by gzip', { tools: ['gzip'], start: async () => 'gzip' }, (lent) => comparisons(() => lent().directory, 'gzip', [['-1'], ['-9'], ['-n', '--rsyncable']]));
describeWith('archives compressed by zstd', { tools: ['zstd'], start: async () => 'zstd' }, (lent) => comparisons(() => lent().directory, 'zstd', [['-1'], ['-19', '--check'], ['--no-check', '-T2', '--long=27']]));

function comparisons(own: () => string, tool: 'gzip' | 'zstd', flagSets: readonly (readonly string[])[]): void {
  const suffix = { gzip: 'gz', zstd: 'zst' }[tool];

  it.each(flagSets.map((flags) => [flags.join(' '), flags] as const))(`made with ${tool} %s are imported from a file`, async (_, flags) => {
    const archive = await exported(own(), samples.store, everything());
    await run(tool, [...flags, '--keep', archive]);
    expect(await digestsOf(await imported(own(), `${archive}.${suffix}`))).toEqual(await digestsOf(samples.store));
  });

  it.each(flagSets.map((flags) => [flags.join(' '), flags] as const))(`made with ${tool} %s are imported from a pipe`, async (_, flags) => {
    const archive = await exported(own(), samples.store, everything());
    const child = spawn(tool, [...flags, '--stdout', archive], { stdio: ['ignore', 'pipe', 'inherit'] });
    // At once: what nobody reads when a child ends, Node throws away.
    const piped = child.stdout.pipe(new PassThrough());
    const target = await freshStore(own());
    await importStream(piped, { target });
    await expectVerified(target);
    expect(await digestsOf(target)).toEqual(await digestsOf(samples.store));
  });

  it(`made in two pieces that are put together are imported, as ${tool} itself reads them`, async () => {
    const archive = await exported(own(), samples.store, everything());
    const half = `${archive}.half`;
    await run('sh', ['-c', `{ head -c 5000 "$1" | ${tool} -c; tail -c +5001 "$1" | ${tool} -c; } > "$2"`, 'sh', archive, half]);
    expect(await digestsOf(await imported(own(), half))).toEqual(await digestsOf(samples.store));
  });

  it(`made by us are read by ${tool}, and are the archive that is not compressed`, async () => {
    const plain = await exported(own(), samples.store, everything());
    const compressed = await exported(own(), samples.store, everything(), { compression: codecByName(tool) });
    await run('sh', ['-c', `${tool} -dc < "$1" | cmp - "$2"`, 'sh', compressed, plain]);
  });
}
