import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageDriver } from '@oci-tar/core';
import { driverConformance } from '@oci-tar/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestBytes } from '../../packages/core/src/bytes/digest.ts';
import { collect } from '../../packages/core/src/bytes/source.ts';
import { directoryDriver } from '../../packages/core/src/drivers/directory.ts';
import { newOwner } from '../../packages/core/src/drivers/directory/owner.ts';
import { blobPath } from '../../packages/core/src/spec/digest.ts';
import { bundled } from './bundled.ts';

let root: string;
let layout: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-tar-directory-'));
  layout = join(root, 'layout');
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const text = (value: string) => new TextEncoder().encode(value);

async function putBlob(driver: ImageDriver, bytes: Uint8Array): Promise<string> {
  const writer = await driver.blobWriter();
  await writer.write(bytes);
  return blobPath((await writer.commit()).digest);
}

async function putFile(driver: ImageDriver, path: string, value: string): Promise<void> {
  const writer = await driver.writer(path);
  await writer.write(text(value));
  await writer.commit();
}

describe('directoryDriver', () => {
  const harness = {
    access: 'random' as const,
    create: async () => directoryDriver(layout),
    reopen: async (driver: ImageDriver) => {
      await driver.close();
      return directoryDriver(layout);
    },
  };
  for (const { name, run } of driverConformance(harness)) it(name, run);

  it('leaves a plain layout behind: blobs, index.json and nothing else', async () => {
    const driver = directoryDriver(layout);
    await driver.init();
    await putBlob(driver, text('hello'));
    await driver.exclusive(() => putFile(driver, 'index.json', '{}'));
    expect(await readdir(layout)).toContain('.oci-tar');
    await driver.close();
    expect((await readdir(layout)).sort()).toEqual(['blobs', 'index.json']);
  });

  it('makes blobs read-only for all and other files writable for their owner, less the umask', async () => {
    const driver = directoryDriver(layout);
    const blob = await putBlob(driver, text('hello'));
    await putFile(driver, 'index.json', '{}');
    expect((await stat(join(layout, blob))).mode & 0o777).toBe(0o444 & ~process.umask());
    expect((await stat(join(layout, 'index.json'))).mode & 0o777).toBe(0o644 & ~process.umask());
  });

  it('keeps a blob of the right size, and replaces one that was cut off', async () => {
    const path = join(layout, await putBlob(directoryDriver(layout), text('hello')));
    const before = await stat(path);
    await putBlob(directoryDriver(layout), text('hello'));
    expect((await stat(path)).ino).toBe(before.ino);

    await chmod(path, 0o644);
    await writeFile(path, 'hell');
    await putBlob(directoryDriver(layout), text('hello'));
    expect(await readFile(path, 'utf8')).toBe('hello');
  });

  it('holds no file open for a sealed blob', async () => {
    const driver = directoryDriver(layout);
    const open = async () => (await readdir('/proc/self/fd')).length;
    await putBlob(driver, text('first'));
    const before = await open();
    for (let i = 0; i < 50; i++) {
      const writer = await driver.blobWriter();
      await writer.write(text(`blob ${i}`));
      await writer.seal?.();
    }
    expect(await open()).toBeLessThan(before + 10);
    await driver.close();
  });

  it('refuses its own folder as a path, in any case', async () => {
    const driver = directoryDriver(layout);
    for (const path of ['.oci-tar', '.oci-tar/index.lock', '.OCI-Tar/x']) {
      await expect(driver.reader(path), path).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(driver.writer(path), path).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(driver.remove(path), path).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    }
  });

  it('says so when a file is in the place of the directory', async () => {
    await writeFile(layout, 'a file');
    await expect(directoryDriver(layout).init()).rejects.toMatchObject({ code: 'INVALID_LAYOUT', details: { subject: layout } });
    await expect(directoryDriver(join(layout, 'below')).init()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  describe('in a directory made by somebody else', () => {
    const secret = 'nobody may read this';
    let driver: ImageDriver;

    beforeEach(async () => {
      await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
      await writeFile(join(root, 'secret'), secret);
      driver = directoryDriver(layout);
    });

    it('refuses a file that is a symbolic link', async () => {
      const path = blobPath(await digestBytes(text(secret)));
      await symlink(join(root, 'secret'), join(layout, path));
      await expect(driver.reader(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH', hint: expect.any(String) });
      expect(await paths(driver)).toEqual([]);
    });

    it('replaces a link in the place of a blob without touching its target', async () => {
      const path = blobPath(await digestBytes(text('blob')));
      await symlink(join(root, 'secret'), join(layout, path));
      await putBlob(driver, text('blob'));
      expect((await lstat(join(layout, path))).isFile()).toBe(true);
      expect(await readFile(join(root, 'secret'), 'utf8')).toBe(secret);
    });

    it.each(['blobs', 'blobs/sha256'])('refuses to go through %s when it is a symbolic link', async (folder) => {
      await mkdir(join(root, 'outside/sha256'), { recursive: true });
      await rm(join(layout, folder), { recursive: true });
      await symlink(join(root, folder === 'blobs' ? 'outside' : 'outside/sha256'), join(layout, folder));
      const path = blobPath(await digestBytes(text('blob')));
      await writeFile(join(root, 'outside', path.slice('blobs/'.length)), 'blob');
      await expect(driver.reader(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(driver.remove(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(driver.init()).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(putBlob(driver, text('other'))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      expect(await paths(driver)).toEqual([]);
      expect(await readdir(join(root, 'outside/sha256'))).toHaveLength(1);
    });

    it('does not write, lock or sweep through a link in the place of its own folder', async () => {
      await mkdir(join(root, 'outside/staging/precious'), { recursive: true });
      await utimes(join(root, 'outside/staging/precious'), 0, 0);
      await symlink(join(root, 'outside'), join(layout, '.oci-tar'));
      await expect(putBlob(driver, text('x'))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await expect(driver.exclusive(async () => {})).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      expect(await readdir(join(root, 'outside'))).toEqual(['staging']);
      expect(await readdir(join(root, 'outside/staging'))).toEqual(['precious']);
    });

    it('refuses a FIFO or a directory in the place of a file at once', async () => {
      execFileSync('mkfifo', [join(layout, 'index.json')]);
      await expect(driver.reader('index.json')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      await expect(driver.reader('blobs')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      expect(await paths(driver)).toEqual([]);
    });
  });

  describe('staging of others', () => {
    const staging = () => join(layout, '.oci-tar/staging');

    async function plant(name: string, owner: object | string | undefined, age = 0): Promise<void> {
      const folder = join(staging(), name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'half'), 'half a blob');
      const when = Date.now() / 1000 - age;
      if (owner !== undefined) {
        await writeFile(join(folder, 'owner'), typeof owner === 'string' ? owner : JSON.stringify(owner));
        await utimes(join(folder, 'owner'), when, when);
      }
      await utimes(folder, when, when);
    }

    it('is swept when its process is gone or cannot be told for an hour, and kept otherwise', async () => {
      const here = await newOwner();
      await plant('gone', { ...here, pid: await deadPid() });
      await plant('pid-reused', { ...here, start: '1' });
      await plant('foreign-old', { ...here, host: 'elsewhere' }, 3700);
      await plant('no-owner-old', undefined, 3700);
      await plant('bad-owner-old', '{"id":', 3700);
      await plant('alive', here, 9999);
      await plant('foreign-young', { ...here, host: 'elsewhere' }, 3000);
      await plant('no-owner-young', undefined);
      const driver = directoryDriver(layout);
      await putBlob(driver, text('x'));
      const left = await readdir(staging());
      expect(left).toHaveLength(4);
      expect(left).toEqual(expect.arrayContaining(['alive', 'foreign-young', 'no-owner-young']));
      await driver.close();
      expect(await readdir(staging())).toHaveLength(3);
    });

    it('is left alone by a second writer in the same process', async () => {
      const [one, two] = [directoryDriver(layout), directoryDriver(layout)];
      const writer = await one.blobWriter();
      await writer.write(text('slow'));
      await putBlob(two, text('quick'));
      await two.close();
      const { digest } = await writer.commit();
      expect(await readText(one, blobPath(digest))).toBe('slow');
      await one.close();
      expect(await readdir(layout)).toEqual(['blobs']);
    });
  });

  it('has whole blobs only, and a clean layout for the next writer, after writers are killed at any moment', async () => {
    const script = await bundled(
      root,
      `import { directoryDriver } from 'DRIVERS/directory.ts';
       const driver = directoryDriver(process.argv[2]);
       await driver.init();
       for (let i = 0; ; i++) {
         const writer = await driver.blobWriter();
         for (let piece = 0; piece < 5; piece++) await writer.write(Buffer.alloc(100_000, process.argv[3] + i + piece));
         await writer.commit();
         await driver.exclusive(async () => {
           const index = await driver.writer('index.json');
           await index.write(Buffer.from(JSON.stringify({ i, filler: 'x'.repeat(50_000) })));
           await index.commit();
         });
         if (i === 0) console.log('running');
       }`,
    );
    for (let round = 0; round < 3; round++) {
      const children = [0, 1].map((n) => spawn(process.execPath, [script, layout, `${round}${n}`], { stdio: ['ignore', 'pipe', 'inherit'] }));
      const running = children.map((child) => Promise.race([once(child.stdout, 'data').then(() => true), once(child, 'exit').then(() => false)]));
      expect(await Promise.all(running)).toEqual([true, true]);
      await new Promise((resolve) => setTimeout(resolve, 30 + round * 7));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(children.map((child) => once(child, 'exit')));
    }

    // An hour later: a process killed between making a file and writing its owner is known by the file's age only.
    await agePrivateFiles();
    const driver = directoryDriver(layout);
    await putBlob(driver, text('the next writer'));
    const blobs = await paths(driver, 'blobs/');
    expect(blobs.length).toBeGreaterThan(6);
    for (const path of blobs) {
      const bytes = await collect((await driver.reader(path)).read(), 1_000_000, path);
      expect(blobPath(await digestBytes(bytes))).toBe(path);
    }
    expect(JSON.parse(await readText(driver, 'index.json'))).toMatchObject({ filler: 'x'.repeat(50_000) });
    await driver.exclusive(async () => {});
    await driver.close();
    expect((await readdir(layout)).sort()).toEqual(['blobs', 'index.json']);
  });
});

async function paths(driver: ImageDriver, prefix?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of driver.list(prefix)) found.push(path);
  return found;
}

async function readText(driver: ImageDriver, path: string): Promise<string> {
  return new TextDecoder().decode(await collect((await driver.reader(path)).read(), 1_000_000, path));
}

async function agePrivateFiles(): Promise<void> {
  const folder = join(layout, '.oci-tar');
  const when = Date.now() / 1000 - 3700;
  for (const path of await readdir(folder, { recursive: true })) await utimes(join(folder, path), when, when);
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  if (child.pid === undefined) throw new Error('no child');
  return child.pid;
}
