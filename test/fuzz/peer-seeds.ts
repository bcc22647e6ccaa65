import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportImages } from '@oci-tar/core';
import { buildah } from '../interop/peers/buildah.ts';
import { containerd } from '../interop/peers/containerd.ts';
import { dockerd } from '../interop/peers/dockerd.ts';
import type { Needs } from '../interop/peers/peer.ts';
import { podman } from '../interop/peers/podman.ts';
import { skopeo } from '../interop/peers/skopeo.ts';
import { lacking, run } from '../interop/peers/tool.ts';
import { addImages, addIndex, layerOf, linux, memoryStore } from '../support/images.ts';
import type { Seed } from './seeds.ts';
import { treeAt } from './trees.ts';
import type { TreeSeed } from './trees.ts';

/** What other tools wrote of two small images, one of them of two platforms. */
export interface PeerSeeds {
  readonly archives: readonly Seed[];
  readonly trees: readonly TreeSeed[];
  /** Tools whose archives are not among them, with the reason. */
  readonly absent: readonly string[];
}

const one = 'docker.io/library/one:1';
const two = 'docker.io/library/two:1';
const multi = 'docker.io/library/multi:1';

/** What a tool is given, and where it may write. */
interface Given {
  readonly directory: string;
  /** An OCI archive of the images, which every tool reads. */
  readonly all: string;
  /** The same of `one` and `two`, and of `one` alone. */
  readonly pair: string;
  readonly single: string;
}

type Written = Partial<Pick<PeerSeeds, 'archives' | 'trees'>>;

let cached: Promise<PeerSeeds> | undefined;

/** Written by the tools when it is first asked for, once in a run. */
export function peerSeeds(): Promise<PeerSeeds> {
  return (cached ??= written());
}

async function written(): Promise<PeerSeeds> {
  const directory = await mkdtemp(join(tmpdir(), 'oci-tar-fuzz-'));
  try {
    const given: Given = { directory, all: join(directory, 'all.tar'), pair: join(directory, 'pair.tar'), single: join(directory, 'single.tar') };
    const source = memoryStore();
    await addImages(source, { name: one, layers: [{ a: 'a' }, { b: 'b' }] }, { name: two, layers: [{ a: 'a' }, { c: 'c' }] });
    await addIndex(source, multi, [linux, { os: 'linux', architecture: 'arm64' }]);
    await exportImages({ source, references: [one, two, multi], output: given.all });
    await exportImages({ source, references: [one, two], output: given.pair });
    await exportImages({ source, references: [one], output: given.single });
    const all = await allOf([
      using(dockerd, given, async ({ docker }, at) => {
        await docker('load', '--quiet', '--input', given.all);
        await docker('save', '--output', at('one.tar'), one);
        await docker('save', '--output', at('several.tar'), one, two);
        return { archives: [await seed('docker save', at('one.tar')), await seed('docker save of several', at('several.tar'))] };
      }),
      using(podman, given, async (tool, at) => {
        await tool('load', '--quiet', '--input', given.pair);
        const names = (await tool('images', '--format', '{{.Repository}}:{{.Tag}}')).trim().split('\n');
        await tool('save', '--quiet', '--format', 'docker-archive', '--output', at('docker.tar'), names[0] ?? '');
        await tool('save', '--quiet', '--format', 'oci-archive', '--output', at('oci.tar'), names[0] ?? '');
        await tool('save', '--quiet', '--multi-image-archive', '--format', 'docker-archive', '--output', at('multi.tar'), ...names);
        return { archives: [await seed('podman save docker-archive', at('docker.tar')), await seed('podman save oci-archive', at('oci.tar')), await seed('podman save -m', at('multi.tar'))] };
      }),
      using(skopeo, given, async (tool, at) => {
        const from = `oci-archive:${given.single}`;
        await tool('copy', '--quiet', from, `docker-archive:${at('docker.tar')}:${one}`);
        await tool('copy', '--quiet', from, `oci-archive:${at('oci.tar')}:${one}`);
        await tool('copy', '--quiet', from, `dir:${at('dir')}`);
        await tool('copy', '--quiet', '--dest-compress', from, `dir:${at('packed')}`);
        return {
          archives: [await seed('skopeo docker-archive', at('docker.tar')), await seed('skopeo oci-archive', at('oci.tar'))],
          trees: [await treeAt('skopeo dir', 'dir', at('dir')), await treeAt('skopeo dir, compressed', 'dir', at('packed'))],
        };
      }),
      using(containerd, given, async ({ ctr }, at) => {
        await ctr('images', 'import', '--no-unpack', '--all-platforms', given.all);
        await ctr('images', 'export', '--platform', 'linux/amd64', at('one.tar'), one);
        await ctr('images', 'export', '--all-platforms', at('several.tar'), one, two, multi);
        await ctr('images', 'export', '--platform', 'linux/amd64', at('sparse.tar'), multi);
        return { archives: [await seed('ctr export', at('one.tar')), await seed('ctr export of all platforms', at('several.tar')), await seed('ctr export, sparse', at('sparse.tar'))] };
      }),
      using(buildah, given, async (tool, at) => {
        const id = (await tool('pull', '--quiet', `oci-archive:${given.single}`)).trim();
        await tool('push', '--quiet', id, `docker-archive:${at('docker.tar')}:${one}`);
        await tool('push', '--quiet', id, `oci-archive:${at('oci.tar')}:${one}`);
        return { archives: [await seed('buildah docker-archive', at('docker.tar')), await seed('buildah oci-archive', at('oci.tar'))] };
      }),
      using(umoci, given, async (tool, at) => {
        await tool('init', '--layout', at('layout'));
        await tool('new', '--image', `${at('layout')}:new`);
        await writeFile(at('layer.tar'), await layerOf({ a: 'a' }));
        await tool('raw', 'add-layer', '--image', `${at('layout')}:new`, at('layer.tar'));
        return { trees: [await treeAt('umoci', 'oci', at('layout'))] };
      }),
    ]);
    return {
      archives: all.flatMap(({ archives = [] }) => archives),
      trees: all.flatMap(({ trees = [] }) => trees),
      absent: all.flatMap(({ absent = [] }) => absent),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** As Promise.all, but a failure is thrown when all have ended: each has files of its own, and daemons. */
async function allOf<T>(running: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}

const umoci: Needs<(...args: readonly string[]) => Promise<string>> = { tools: ['umoci'], start: async () => (...args) => run('umoci', args) };

async function using<Peer>(needs: Needs<Peer>, { directory }: Given, work: (peer: Peer, at: (name: string) => string) => Promise<Written>): Promise<Written & { readonly absent?: readonly string[] }> {
  const reason = lacking(needs.tools, needs.root);
  if (reason !== undefined) return { absent: [reason] };
  const own = join(directory, needs.tools[0] ?? 'tool');
  await mkdir(join(own, 'written'), { recursive: true });
  const peer = await needs.start(own);
  try {
    return await work(peer, (name) => join(own, 'written', name));
  } finally {
    await needs.stop?.(peer);
  }
}

async function seed(name: string, path: string): Promise<Seed> {
  return { name, bytes: await readFile(path) };
}
