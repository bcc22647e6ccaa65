import { codecByName } from '@oci-tar/core';
import { compressed, crane, docker1, docker24, docker25, folder, hardlink, sampleImage, skopeo, symlink, tarOf, zstdLayers } from '../layout/docker-archives.ts';
import type { Entry, SampleImage } from '../layout/docker-archives.ts';
import type { Seed } from './seeds.ts';

/** docker archives in the form of tools that are not at hand, or of versions that nobody runs any more. */
export async function dockerSeeds(): Promise<readonly Seed[]> {
  const one = await sampleImage();
  const other = await sampleImage({ tags: ['example.org/app:2', 'example.org/again:1'], layers: [{ hello: 'lower\n' }, { other: 'top\n' }] });
  const plain: readonly (readonly [string, readonly Entry[]])[] = [
    ['docker before 1.10', await docker1(one)],
    ['docker before 1.10, several', await docker1(one, other)],
    ['docker 1.10 to 24, with linked layers', await docker24(one, other)],
    ['docker 25 and later', await docker25(one, other)],
    ['skopeo and podman of old', await skopeo(one, other)],
    ['crane', await crane(one)],
    ['kaniko', await kaniko(other)],
    ['hard-linked layers', linked(await docker24(one), 'hard')],
    ['symbolic links to layers', linked(await docker24(one), 'symbolic')],
    ['zstd layers', await zstdLayers(one)],
    ['a leading folder', prefixed(await docker24(one), 'saved/')],
    ['a leading folder, docker 25', prefixed(await docker25(one), './saved/')],
  ];
  const seeds = plain.map(([name, entries]) => ({ name, bytes: tarOf(entries) }));
  const packed = await Promise.all(['gzip', 'zstd'].map(async (name) => ({ name: `docker 1.10 to 24, ${codecByName(name).name}`, bytes: await compressed(name, tarOf(await docker24(one))) })));
  return [...seeds, ...packed];
}

/** kaniko writes with the library of crane; here manifest.json comes first, so that both orders are tried. */
async function kaniko(image: SampleImage): Promise<readonly Entry[]> {
  const entries = await crane(image);
  return [...entries.slice(-1), ...entries.slice(0, -1)];
}

/** Each layer elsewhere, and a link in its place. */
function linked(entries: readonly Entry[], kind: 'hard' | 'symbolic'): readonly Entry[] {
  const layers = entries.filter(({ name, body }) => name.endsWith('/layer.tar') && body !== undefined && body.length > 0);
  const moved = layers.map((layer, position) => ({ ...layer, name: `layers/${position}.tar` }));
  const links = layers.map(({ name }, position) => (kind === 'hard' ? hardlink(name, `layers/${position}.tar`) : symlink(name, `../layers/${position}.tar`)));
  return [folder('layers'), ...moved, ...entries.filter((entry) => !layers.includes(entry)), ...links];
}

function prefixed(entries: readonly Entry[], prefix: string): readonly Entry[] {
  return entries.map((entry) => ({ ...entry, name: prefix + entry.name }));
}
