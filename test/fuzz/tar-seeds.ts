import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packTree, pieceBytes } from '@oci-tar/core';
import { makeFull, makePlain, makeSparse } from '../interop/tar-trees.ts';
import { has } from '../interop/peers/tool.ts';
import { gather } from '../tar/streams.ts';
import type { Seed } from './seeds.ts';

const gnu: readonly (readonly [format: string, args: readonly string[], top: string])[] = [
  ['v7', [], 'plain'],
  ['ustar', [], 'plain'],
  ['oldgnu', ['--sparse'], 'holes'],
  ['gnu', ['--sparse', '--label=label'], 'holes'],
  ['gnu', [], 'full'],
  ['posix', ['--pax-option=comment=global,globexthdr.name=g'], 'full'],
  ['posix', ['--sparse', '--sparse-version=0.0'], 'holes'],
  ['posix', ['--sparse', '--sparse-version=0.1'], 'holes'],
  ['posix', ['--sparse', '--sparse-version=1.0'], 'holes'],
];

/** Archives of every format and of three writers, ours among them; of the others those that are installed. */
export async function tarSeeds(): Promise<readonly Seed[]> {
  const home = mkdtempSync(join(tmpdir(), 'oci-tar-fuzz-'));
  try {
    makePlain(home);
    makeFull(home);
    mkdirSync(join(home, 'holes'));
    makeSparse(join(home, 'holes/file'), 28, 64);
    const run = (command: string, args: readonly string[]): Uint8Array =>
      execFileSync(command, args, { cwd: home, env: { ...process.env, LC_ALL: 'C.UTF-8' }, maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'ignore'] });
    const ours: Seed[] = [];
    for (const top of ['plain', 'full']) ours.push({ name: `ours, ${top}`, bytes: await gather(pieceBytes(packTree(join(home, top)))) });
    const gnuTar = has('tar') ? gnu.map(([format, args, top]) => ({ name: `tar --format=${format} ${args.join(' ')} ${top}`, bytes: run('tar', [`--format=${format}`, ...args, '-b1', '-cf', '-', top]) })) : [];
    const bsdtar = has('bsdtar')
      ? [['v7', 'plain'], ['ustar', 'plain'], ['gnutar', 'full'], ['pax', 'full'], ['pax', 'holes']].map(([format = '', top = '']) => ({ name: `bsdtar --format=${format} ${top}`, bytes: run('bsdtar', [`--format=${format}`, '-b1', '-cf', '-', top]) }))
      : [];
    return [...ours, ...gnuTar, ...bsdtar];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
