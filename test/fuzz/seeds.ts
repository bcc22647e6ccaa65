import { codecByName, decompressed, exportImages } from '@oci-tar/core';
import type { ByteSource } from '@oci-tar/core';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { addImages, addIndex, linux, memoryStore } from '../support/images.ts';
import { MemorySink } from '../support/sinks.ts';
import type { Files } from './graph.ts';
import { dockerSeeds } from './own-seeds.ts';
import { peerSeeds } from './peer-seeds.ts';
import type { PeerSeeds } from './peer-seeds.ts';

export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Archives of every kind that is read, small enough that thousands of mutations of them can be tried, and directories. */
export async function seeds(): Promise<PeerSeeds> {
  const { archives, trees, absent } = await peerSeeds();
  return { archives: [...(await ourSeeds()), ...(await dockerSeeds()), ...archives], trees, absent };
}

async function ourSeeds(): Promise<readonly Seed[]> {
  const store = memoryStore();
  await addImages(store, { name: 'docker.io/library/one:1', layers: [{ a: 'a' }, { b: 'b' }] });
  await addIndex(store, 'docker.io/library/multi:1', [linux, { os: 'linux', architecture: 'arm64' }]);
  const ours = await archive(store, ['one:1', 'multi:1']);
  return [
    { name: 'ours', bytes: ours },
    { name: 'as ctr orders it', bytes: await reordered(ours, (names) => names.toSorted()) },
    { name: 'backwards, with ./ before the names', bytes: await reordered(ours, (names) => names.toReversed(), './') },
    { name: 'gzip', bytes: await compressed(ours, 'gzip') },
    { name: 'zstd', bytes: await compressed(ours, 'zstd') },
    { name: 'docker only', bytes: await reordered(ours, (names) => names.filter((name) => name !== 'oci-layout' && name !== 'index.json')) },
  ];
}

/** The files of an archive, compressed or not; its links are left out. */
export async function filesOf(bytes: Uint8Array): Promise<Files> {
  const files = new Map<string, Uint8Array>();
  for await (const entry of entries((await decompressed(once(bytes))).bytes)) if (entry.type === 'file') files.set(entry.path, await joined(entry.data));
  return files;
}

async function archive(source: Parameters<typeof exportImages>[0]['source'], references: readonly string[]): Promise<Uint8Array> {
  const output = new MemorySink();
  await exportImages({ source, references, output });
  return output.bytes;
}

async function reordered(bytes: Uint8Array, order: (names: string[]) => readonly string[], prefix = ''): Promise<Uint8Array> {
  const byName = new Map<string, PackEntry>();
  for await (const { data, ...entry } of entries(once(bytes))) {
    byName.set(entry.path, { path: prefix + entry.path, type: entry.type, mode: entry.mode, size: entry.size, data: await joined(data) });
  }
  const sorted = order([...byName.keys()]).flatMap((name) => byName.get(name) ?? []);
  return joined(pieceBytes(pack(sorted)));
}

async function compressed(bytes: Uint8Array, codec: string): Promise<Uint8Array> {
  return joined(codecByName(codec).compress(once(bytes)));
}

async function joined(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): ReturnType<ByteSource['read']> {
  yield bytes;
}
