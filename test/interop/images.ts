import { chmod, cp, link, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codecByName, createImage, mediaTypes, localStore, parseManifest, readBlob, tagImage } from '@oci-tar/core';
import type { Descriptor, Digest, ImageStore, Platform } from '@oci-tar/core';
import { pushJson } from '../support/images.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The platform that peers unpack here, and one that they do not. */
export const here: Platform = { os: 'linux', architecture: architectures[process.arch] ?? process.arch };
export const elsewhere: Platform = { os: 'linux', architecture: 's390x' };

export interface Sample {
  /** The full name in our store. */
  readonly name: string;
  /** As docker prints it. */
  readonly familiar: string;
  readonly tag: string;
  /** Of the manifest or the index. */
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  /** Of the config, which is what docker calls the image ID; of an index, that of this machine's platform. */
  readonly config: Digest;
}

const names = {
  gzip: 'docker.io/library/hello:1',
  two: 'example.org:5000/team/two:2.0',
  zstd: 'docker.io/someone/zstd:latest',
  plain: 'example.org/plain:p',
  multi: 'example.org/multi:m',
  named: 'docker.io/library/named:1',
};
/** Two more names of the image `named`. */
export const moreNames = ['docker.io/library/named:again', 'example.org/other/place:latest'];

export type SampleKey = keyof typeof names;
export const sampleKeys: readonly SampleKey[] = ['gzip', 'two', 'zstd', 'plain', 'multi', 'named'];

export interface Samples {
  /** The directory of our local store. */
  readonly path: string;
  readonly store: ImageStore;
  readonly of: Readonly<Record<SampleKey, Sample>>;
  /** A directory with the files that `two` has when it is unpacked. */
  readonly merged: string;
}

/** Makes images of every kind, with the library alone, in a local store below the directory. */
export async function makeSamples(directory: string): Promise<Samples> {
  const trees = await makeTrees(join(directory, 'trees'));
  const path = join(directory, 'store');
  const store = await localStore(path);
  const create = async (key: SampleKey, codec: string, layers: readonly string[], platform = here) => {
    const image = await createImage({ target: store, name: names[key], layers, platform, codec: codecByName(codec), config: { Cmd: ['/bin/true'], Env: ['PATH=/bin'] } });
    return image.descriptor;
  };
  const of = async (key: SampleKey, descriptor: Descriptor, manifest = descriptor): Promise<Sample> => {
    const { config } = parseManifest(await readBlob(store, manifest), { mediaType: manifest.mediaType });
    const name = names[key];
    const familiar = name.replace('docker.io/library/', '').replace('docker.io/', '');
    return { name, familiar, tag: name.slice(name.lastIndexOf(':') + 1), digest: descriptor.digest, descriptor, config: config.digest };
  };
  const gzip = await create('gzip', 'gzip', [trees.lower]);
  const two = await create('two', 'gzip', [trees.lower, trees.upper]);
  const zstd = await create('zstd', 'zstd', [trees.lower, trees.upper]);
  const plain = await create('plain', 'none', [trees.upper]);
  const named = await create('named', 'gzip', [trees.upper, trees.lower]);
  for (const name of moreNames) await tagImage(store, names.named, name);
  // A child that no other name points to: where a name and an index share one, ctr forgets the name in manifest.json.
  const native = await create('multi', 'gzip', [trees.merged], here);
  const foreign = await create('multi', 'zstd', [trees.upper], elsewhere);
  const multi = await addIndex(store, names.multi, [
    { ...native, platform: here },
    { ...foreign, platform: elsewhere },
  ]);
  return {
    path,
    store,
    merged: trees.merged,
    of: {
      gzip: await of('gzip', gzip),
      two: await of('two', two),
      zstd: await of('zstd', zstd),
      plain: await of('plain', plain),
      multi: await of('multi', multi, native),
      named: await of('named', named),
    },
  };
}

async function addIndex(store: ImageStore, name: string, manifests: readonly Descriptor[]): Promise<Descriptor> {
  const session = await store.begin?.();
  if (session === undefined) throw new Error(`${store.name} is read-only`);
  const root = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests });
  await session.name(name, root);
  await session.end();
  return root.descriptor;
}

interface Trees {
  readonly lower: string;
  readonly upper: string;
  /** The upper one applied to the lower one. */
  readonly merged: string;
}

/** Directories with what is hard on tar formats: long and foreign names, links, special modes, a whiteout. */
async function makeTrees(directory: string): Promise<Trees> {
  const lower = await makeLower(join(directory, 'lower'));
  const upper = join(directory, 'upper');
  await put(join(upper, 'etc/motd'), 'above all\n');
  await put(join(upper, 'etc/.wh.gone'), '');
  const merged = await makeLower(join(directory, 'merged'));
  await cp(join(upper, 'etc/motd'), join(merged, 'etc/motd'));
  await rm(join(merged, 'etc/gone'));
  return { lower, upper, merged };
}

async function makeLower(root: string): Promise<string> {
  await put(join(root, 'bin/true'), '#!/bin/sh\n');
  await chmod(join(root, 'bin/true'), 0o4755);
  await link(join(root, 'bin/true'), join(root, 'bin/truth'));
  await symlink('true', join(root, 'bin/verily'));
  await put(join(root, 'etc/motd'), 'below\n');
  await put(join(root, 'etc/gone'), 'to be deleted\n');
  await put(join(root, 'usr/share/doc', 'long-'.repeat(30), 'name-'.repeat(40)), 'PAX\n');
  await put(join(root, 'usr/share/Főtanúsítvány €'), 'UTF-8\n');
  await put(join(root, 'empty'), '');
  await put(join(root, 'big'), 'sixteen bytes..\n'.repeat(2 ** 16));
  await mkdir(join(root, 'tmp'));
  await chmod(join(root, 'tmp'), 0o1777);
  return root;
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
