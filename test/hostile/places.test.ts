import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codecByName, collect, importStream, openArchive } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { archive, imagePieces } from './archives.ts';
import { inFolder } from './attempt.ts';

describe('an archive that is no file', () => {
  it('but a directory is refused', () =>
    inFolder(async (folder) => {
      await mkdir(join(folder, 'in.tar'));
      await expect(openArchive(join(folder, 'in.tar'))).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('directory') as string });
    }));

  it('but a FIFO is refused at once, and its writer is not waited for', () =>
    inFolder(async (folder) => {
      execFileSync('mkfifo', [join(folder, 'in.tar')]);
      await expect(openArchive(join(folder, 'in.tar'))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    }));

  it('but a device is refused', async () => {
    await expect(openArchive('/dev/null')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('but nothing at all is not found', () =>
    inFolder(async (folder) => {
      await expect(openArchive(join(folder, 'in.tar'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await writeFile(join(folder, 'file'), '');
      await expect(openArchive(join(folder, 'file/in.tar'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }));

  it('but an empty file is refused, and it is said that it is empty', () =>
    inFolder(async (folder) => {
      await writeFile(join(folder, 'in.tar'), '');
      await expect(openArchive(join(folder, 'in.tar'))).rejects.toMatchObject({ code: 'INVALID_TAR', message: expect.stringContaining('empty') as string });
    }));
});

describe('an archive that is compressed twice', () => {
  it('is refused, and no spool stays open', () =>
    inFolder(async (folder) => {
      const gzip = codecByName('gzip');
      const twice = await collect(gzip.compress(gzip.compress(cut(archive(await imagePieces())))), 1 << 20, 'twice');
      await writeFile(join(folder, 'in.tar'), twice);
      const before = (await readdir('/proc/self/fd')).length;
      await expect(openArchive(join(folder, 'in.tar'))).rejects.toMatchObject({ code: 'INVALID_TAR' });
      await expect(importStream(cut(twice), { target: memoryStore() })).rejects.toMatchObject({ code: 'INVALID_TAR' });
      expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(before);
    }));
});
