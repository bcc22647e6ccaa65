import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { codecByName, collect, importImages, isOciTarError, localStore, openArchive } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../../packages/cli/src/failure.ts';
import { Cli } from '../cli/support.ts';
import { compressed, tarOf } from '../layout/docker-archives.ts';
import { good, manifest } from '../layout/docker-bad-samples.ts';
import { cut } from '../support/sinks.ts';
import { rawEntry } from '../tar/raw.ts';
import { archive, imagePieces, layoutEntry, noise, tar, text } from './archives.ts';
import type { Entry } from './archives.ts';
import { filled, inFolder, soundStore, ways } from './attempt.ts';
import { refusedByCli, takenByCli } from './by-cli.ts';

const sound = await imagePieces();
const kinds = [['an OCI archive', archive(sound)], ['a docker archive', tarOf(good)]] as const;

/** 64 MiB of zeros are 2 KB of zstd; frames that follow each other are one stream. */
const zeros = await collect(codecByName('zstd').compress(cut(new Uint8Array(64 << 20))), 1 << 20, 'zeros');
const zerosOf = (count: number) => Buffer.concat(Array.from({ length: count }, () => zeros));
const join = async (...parts: readonly Uint8Array[]) => Buffer.concat([await compressed('zstd', Buffer.concat(parts)), zerosOf(20)]);

describe.each(ways)('oci-tar import refuses, by %s,', (way) => {
  it('a bomb in the compression around an OCI archive', async () => {
    const entries: readonly Entry[] = Object.values(sound);
    const bodies = entries.map(({ name, body }) => rawEntry({ name }, body));
    const junk = rawEntry({ name: 'junk', size: 20 * (64 << 20) }, new Uint8Array());
    expect((await refusedByCli(way, await join(...bodies, junk), 'LIMIT_EXCEEDED')).message).toContain('which no image does');
  });

  it('a bomb behind the end of a docker archive', async () => {
    await refusedByCli(way, await join(tarOf(good)), 'LIMIT_EXCEEDED');
  });

  it.each(kinds)('%s that is compressed twice', async (_what, bytes) => {
    await refusedByCli(way, await compressed('gzip', await compressed('gzip', bytes)), 'INVALID_TAR');
  });

  it.each(kinds)('%s with garbage behind its compression', async (_what, bytes) => {
    for (const codec of ['gzip', 'zstd']) await refusedByCli(way, Buffer.concat([await compressed(codec, bytes), noise(9, 100)]), 'INVALID_COMPRESSION');
  });

  it('trailing garbage in a document', async () => {
    await refusedByCli(way, archive({ ...sound, index: { ...sound.index, body: Buffer.concat([sound.index.body, text('{}')]) } }), 'INVALID_JSON');
    await refusedByCli(way, tarOf([...good.filter(({ name }) => name !== 'c.json'), { name: 'c.json', body: Buffer.concat([good.find(({ name }) => name === 'c.json')?.body ?? text(''), text('{}')]) }]), 'INVALID_JSON');
  });

  it('an archive with no image', async () => {
    await refusedByCli(way, tar([layoutEntry, { name: 'index.json', body: text('{"schemaVersion":2,"manifests":[]}') }]), 'NOT_FOUND');
    await refusedByCli(way, tarOf([manifest([])]), 'NOT_FOUND');
    await refusedByCli(way, tar([{ name: 'etc/passwd', body: text('root:x:0:0') }]), 'INVALID_LAYOUT');
    await refusedByCli(way, tar([]), 'INVALID_LAYOUT');
  });

  it('random bytes', async () => {
    for (let seed = 1; seed <= 3; seed++) await refusedByCli(way, noise(seed, 5000), 'INVALID_TAR');
    await refusedByCli(way, noise(4, 100), 'INVALID_TAR');
  });

  it('an empty file', async () => {
    expect((await refusedByCli(way, new Uint8Array(), 'INVALID_TAR')).message).toContain('empty');
    await refusedByCli(way, await compressed('gzip', new Uint8Array()), 'INVALID_TAR');
  });

  it.each(kinds)('%s that ends early', async (_what, bytes) => {
    for (const length of [300, 512, 1536, bytes.length - 1024]) await refusedByCli(way, bytes.subarray(0, length), 'INVALID_TAR');
  });

  it.each(kinds)('but not trailing garbage behind the end of %s, which every tar passes over', async (_what, bytes) => {
    await takenByCli(way, Buffer.concat([bytes, noise(8, 3000)]));
  });
});

describe('oci-tar import refuses', () => {
  it('a directory, and says what to do with one', async () => {
    const cli = new Cli();
    await cli.create('earlier:1');
    await mkdir(cli.path('in.tar'));
    expect(await cli.run(['import', '@in.tar'])).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('oci-tar copy oci:') as string });
    await soundStore(cli.path('store'));
  });

  it.each(kinds)('%s that shrinks while it is read', (_what, bytes) =>
    inFolder(async (folder) => {
      const path = `${folder}/in.tar`;
      await writeFile(path, bytes);
      await filled(`${folder}/store`);
      const target = await localStore(`${folder}/store`);
      const source = await openArchive(path);
      // All that comes after the documents at its beginning.
      await truncate(path, 2500);
      const error: unknown = await importImages(source, { target }).catch((reason: unknown) => reason);
      await source.close();
      await target.close();
      expect(isOciTarError(error, 'SIZE_MISMATCH') && error.message, String(error)).toContain('became shorter while it was read');
      expect(failureOf(error).status).toBe(4);
      await soundStore(`${folder}/store`);
    }));
});
