import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { archiveTarget, bytesSource, createImage, codecByName, exportImages, importStream, isOciTarError, localStore, removeImage, tagImage } from '@oci-tar/core';
import type { OciTarError } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { Child, scriptOf } from '../crash/processes.ts';
import { addImages, memoryStore } from '../support/images.ts';
import { archive, imageName, imagePieces, noise } from './archives.ts';
import { earlierName, filled, importBy, inFolder, soundStore, ways } from './attempt.ts';

/** Mounting needs root, and a system that lets even root do it. */
const canMount = await inFolder(async (folder) => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  }
});

/** Runs with a file system of one megabyte, which `readOnly` makes unwritable. */
async function onSmallDisk(work: (disk: string, readOnly: () => void, folder: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    try {
      await work(disk, () => execFileSync('mount', ['-o', 'remount,ro', disk]), folder);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
}

async function failure(work: Promise<unknown>): Promise<OciTarError> {
  const error: unknown = await work.then(
    () => new Error('nothing failed'),
    (reason: unknown) => reason,
  );
  if (!isOciTarError(error)) throw error;
  return error;
}

async function largeArchive(): Promise<Uint8Array> {
  const pieces = await imagePieces();
  const bytes = noise(1, 2 << 20);
  const digest = `sha256:${await hex(bytes)}`;
  const large = await imagePieces({ layer: { digest: digest as `sha256:${string}`, size: bytes.length }, diffIDs: [digest] });
  return archive({ ...large, layer: { ...pieces.layer, name: `blobs/${digest.replace(':', '/')}`, body: bytes } });
}

async function hex(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))).toString('hex');
}

async function fill(path: string): Promise<void> {
  for (let size = 1 << 20; size >= 1; size >>= 1) await writeFile(path, new Uint8Array(size), { flag: 'a' }).catch(() => {});
}

describe.skipIf(!canMount)('a full disk (needs mount)', () => {
  it.each(ways)('ends an import by %s with NO_SPACE; the store is as it was', async (way) => {
    const large = await largeArchive();
    await onSmallDisk(async (disk, _readOnly, folder) => {
      const path = join(disk, 'store');
      await filled(path);
      const index = await readFile(join(path, 'index.json'), 'utf8');
      const store = await localStore(path);
      const error = await failure(importBy(way, large, store, folder));
      expect(error).toMatchObject({ code: 'NO_SPACE', details: { side: 'target' } });
      await store.close();
      expect(await readFile(join(path, 'index.json'), 'utf8')).toBe(index);
      await soundStore(path);
      // What was written in vain was given back: something smaller fits.
      const small = await localStore(path);
      await importBy(way, archive(await imagePieces()), small, folder);
      await small.close();
      await soundStore(path);
    });
  });

  it('with no byte left keeps every verb from harm', async () => {
    await onSmallDisk(async (disk, _readOnly, folder) => {
      const path = join(disk, 'store');
      await filled(path);
      const index = await readFile(join(path, 'index.json'), 'utf8');
      await fill(join(disk, 'filler'));
      const store = await localStore(path);
      for (const way of ways) expect(await failure(importBy(way, archive(await imagePieces()), store, folder))).toMatchObject({ code: 'NO_SPACE' });
      expect(await failure(tagImage(store, earlierName, 'other:1'))).toMatchObject({ code: 'NO_SPACE' });
      expect(await failure(removeImage(store, earlierName))).toMatchObject({ code: 'NO_SPACE' });
      expect(await failure(createImage({ target: store, name: 'new:1', layers: [folder], platform: { os: 'linux', architecture: 'amd64' }, codec: codecByName('gzip') }))).toMatchObject({ code: 'NO_SPACE' });
      await store.close();
      expect(await readFile(join(path, 'index.json'), 'utf8')).toBe(index);
      await soundStore(path);
    });
  });

  it.each(['none', 'gzip'] as const)('ends an export (compression %s) with NO_SPACE and leaves no file, whole or partial', async (compression) => {
    await onSmallDisk(async (disk) => {
      const source = memoryStore();
      await addImages(source, { name: imageName, layers: [{ noise: Buffer.from(noise(2, 1 << 20)).toString('base64') }] });
      const output = join(disk, 'out.tar');
      await writeFile(output, 'what was there before');
      const error = await failure(exportImages({ source, references: [imageName], output, compression: codecByName(compression) }));
      expect(error).toMatchObject({ code: 'NO_SPACE' });
      expect(await readdir(disk)).toEqual(['out.tar']);
      expect(await readFile(output, 'utf8')).toBe('what was there before');
    });
  });
});

describe.skipIf(!canMount)('a read-only place (needs mount)', () => {
  it('can be read, and every verb that writes says READ_ONLY', async () => {
    await onSmallDisk(async (disk, readOnly, folder) => {
      const path = join(disk, 'store');
      await filled(path);
      readOnly();
      const store = await localStore(path);
      for (const way of ways) expect(await failure(importBy(way, archive(await imagePieces()), store, folder))).toMatchObject({ code: 'READ_ONLY' });
      expect(await failure(tagImage(store, earlierName, 'other:1'))).toMatchObject({ code: 'READ_ONLY' });
      expect(await failure(removeImage(store, earlierName))).toMatchObject({ code: 'READ_ONLY' });
      expect(await failure(exportImages({ source: store, references: [earlierName], output: join(disk, 'out.tar') }))).toMatchObject({ code: 'READ_ONLY' });
      await exportImages({ source: store, references: [earlierName], output: join(folder, 'out.tar') });
      await store.close();
      await soundStore(path);
      const fresh = await localStore(join(disk, 'fresh'));
      expect(await failure(importBy('pipe', archive(await imagePieces()), fresh, folder))).toMatchObject({ code: 'READ_ONLY' });
    });
  });
});

/** Root may do everything, so a child is another user. */
const canBecomeAnother = process.getuid?.() === 0;

describe.skipIf(!canBecomeAnother)('a store that belongs to another user (needs root)', () => {
  it('can be read, and every verb that writes says FORBIDDEN', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'store');
      await filled(path);
      const index = await readFile(join(path, 'index.json'), 'utf8');
      await writeFile(join(folder, 'in.tar'), archive(await imagePieces()));
      await mkdir(join(folder, 'script'));
      const script = await scriptOf(
        join(folder, 'script'),
        `
        process.setgid(65534);
        process.setuid(65534);
        const store = await core.localStore(process.argv[2] + '/store');
        const source = await core.openArchive(process.argv[2] + '/in.tar');
        const codeOf = (work) => work.then(() => 'done', (error) => error.code);
        console.log(JSON.stringify([
          await codeOf(core.importImages(source, { target: store })),
          await codeOf(core.tagImage(store, '${earlierName}', 'other:1')),
          await codeOf(core.removeImage(store, '${earlierName}')),
          await codeOf(core.exportImages({ source: store, references: ['${earlierName}'], output: process.argv[2] + '/out.tar' })),
          await codeOf(core.exportImages({ source: store, references: ['${earlierName}'], output: '/dev/null' })),
        ]));
        await source.close();
        await store.close();
        `,
      );
      await chmod(folder, 0o755);
      const child = new Child(script, folder);
      expect(await child.line()).toBe(JSON.stringify(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'done']));
      expect(await child.exited).toBe(0);
      expect(await readFile(join(path, 'index.json'), 'utf8')).toBe(index);
      await soundStore(path);
    }));
});

describe('an archive as the target of an import', () => {
  it('is refused, since an archive has no place for what is not planned', async () => {
    await inFolder(async (folder) => {
      const target = archiveTarget(join(folder, 'out.tar'));
      expect(await failure(importStream(bytesSource(archive(await imagePieces())).read(), { target }))).toMatchObject({ code: 'UNSUPPORTED' });
      expect(await readdir(folder)).toEqual([]);
    });
  });
});
