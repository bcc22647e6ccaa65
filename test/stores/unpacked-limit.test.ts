import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exportImages, openArchive } from '@oci-tar/core';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { MemorySink } from '../support/sinks.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-tar-limit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a compressed archive is unpacked up to its limit, and a bomb is not', async () => {
  const source = memoryStore();
  await addImages(source, { name: 'docker.io/library/hello:1' });
  const output = new MemorySink();
  await exportImages({ source, references: ['hello:1'], output });
  const path = join(folder, 'in.tar.gz');
  await writeFile(path, gzipSync(Buffer.concat([output.bytes, Buffer.alloc(20_000_000)])));

  await expect(openArchive(path, { unpackedLimit: 1_000_000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  const archive = await openArchive(path);
  expect(await listed(archive)).toHaveLength(1);
  await archive.close();
  expect(await readdir(folder)).toEqual(['in.tar.gz']);
});
