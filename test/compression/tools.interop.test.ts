import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { gzip } from '../../packages/core/src/compression/gzip.ts';
import { zstd } from '../../packages/core/src/compression/zstd.ts';
import { collect, concat, cut, prose } from './streams.ts';

const has = (tool: string) => spawnSync(tool, ['--version']).status === 0;
const withGzip = it.skipIf(!has('gzip'));
const withZstd = it.skipIf(!has('zstd'));
const withPzstd = it.skipIf(!has('pzstd'));

const text = prose(900_000);

function run(tool: string, args: readonly string[], input: Uint8Array): Uint8Array {
  const { status, stdout, stderr } = spawnSync(tool, args, { input, maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')}: ${stderr}`);
  return new Uint8Array(stdout);
}

const same = (actual: Uint8Array, expected: Uint8Array) => expect(Buffer.compare(actual, expected)).toBe(0);

describe('the gzip tool', () => {
  withGzip('reads what gzip.compress writes', async () => {
    for (const level of [1, 4, 9]) same(run('gzip', ['-dc'], await collect(gzip.compress(cut(text), { level }))), text);
  });

  withGzip('writes what gzip.decompress reads, members joined and padded as well', async () => {
    const one = run('gzip', ['-c'], text);
    same(await collect(gzip.decompress(cut(one))), text);
    same(await collect(gzip.decompress(cut(concat(one, run('gzip', ['-9c'], text), new Uint8Array(1000))))), concat(text, text));
  });
});

describe('the zstd tool', () => {
  withZstd('reads and checks what zstd.compress writes', async () => {
    for (const level of [1, 3, 12]) same(run('zstd', ['-dc'], await collect(zstd.compress(cut(text), { level }))), text);
  });

  withZstd('finds the checksum of zstd.compress wrong where it is', async () => {
    const compressed = await collect(zstd.compress(cut(text)));
    compressed[compressed.length - 1] = (compressed[compressed.length - 1] ?? 0) ^ 1;
    expect(spawnSync('zstd', ['-t'], { input: compressed }).status).not.toBe(0);
  });

  withZstd('writes what zstd.decompress reads', async () => {
    const flags = [['-1'], ['-19'], ['--ultra', '-22'], ['--no-check'], ['--fast=5'], [`--stream-size=${text.length}`], ['-T2', '-B1MiB']];
    for (const flag of flags) same(await collect(zstd.decompress(cut(run('zstd', ['-c', ...flag], text)))), text);
  });

  withZstd('writes frames that may be joined', async () => {
    const frames = [run('zstd', ['-c'], text), run('zstd', ['-c', '--no-check'], text), run('zstd', ['-c'], new Uint8Array(0))];
    same(await collect(zstd.decompress(cut(concat(...frames)))), concat(text, text));
  });

  withZstd('has windows of up to 128 MiB decoded and larger ones refused', async () => {
    same(await collect(zstd.decompress(cut(run('zstd', ['-c', '--long=27'], text)))), text);
    for (const long of [28, 31]) {
      const compressed = run('zstd', ['-c', `--long=${long}`], text);
      await expect(collect(zstd.decompress(cut(compressed)))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }
  });

  withPzstd('has the many frames of its parallel sister read', async () => {
    same(await collect(zstd.decompress(cut(run('pzstd', ['-c', '-p', '2', '-1'], prose(9_000_000))))), prose(9_000_000));
  });
});
