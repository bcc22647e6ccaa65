import { mkdir, mkdtemp, realpath, rm, rmdir } from 'node:fs/promises';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, directoryDriver } from '@oci-tar/core';
import type { ImageDriver } from '@oci-tar/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Files>();
  return { ...real, mkdir: vi.fn(real.mkdir), realpath: vi.fn(real.realpath) };
});

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oci-tar-another-'));
});

afterEach(async () => {
  vi.mocked(mkdir).mockRestore();
  vi.mocked(realpath).mockRestore();
  await rm(root, { recursive: true, force: true });
});

async function put(driver: ImageDriver, path: string, value: string): Promise<void> {
  const writer = await driver.writer(path);
  await writer.write(new TextEncoder().encode(value));
  await writer.commit();
}

/** What another process does at the worst moment, done here. */
describe('a layout that another process writes at the same time', () => {
  it.each([['shorter', 'b'.repeat(10)], ['longer', 'b'.repeat(5000)]])('never shows a mixture when index.json is replaced by a %s one', async (_what, next) => {
    const driver = directoryDriver(root);
    const first = 'a'.repeat(1000);
    await put(driver, 'index.json', first);
    const source = await driver.reader('index.json');
    await put(directoryDriver(root), 'index.json', next);
    expect(source.size).toBe(1000);
    expect(new TextDecoder().decode(await collect(source.read(), 10_000, 'index.json'))).toBe(first);
    expect((await driver.reader('index.json')).size).toBe(next.length);
  });

  it.each(['.oci-tar', '.oci-tar/staging'])('is written although %s goes away as soon as it is made', async (gone) => {
    const { mkdir: make } = await vi.importActual<typeof Files>('node:fs/promises');
    let left = 3;
    vi.mocked(mkdir).mockImplementation(async (...args: Parameters<typeof mkdir>) => {
      const made = await make(...args);
      if (args[0] === join(root, gone) && left-- > 0) await rmdir(args[0]);
      return made;
    });
    const driver = directoryDriver(root);
    await put(driver, 'index.json', 'written');
    await driver.exclusive(async () => {});
    expect(left).toBeLessThan(0);
    await driver.close();
  });

  it('is locked although its empty folder goes away before it is looked at', async () => {
    const { realpath: look } = await vi.importActual<typeof Files>('node:fs/promises');
    let left = 3;
    vi.mocked(realpath).mockImplementation(async (path) => {
      if (left-- > 0) await rmdir(String(path));
      return look(String(path));
    });
    expect(await directoryDriver(root).exclusive(async () => 'locked')).toBe('locked');
    expect(left).toBeLessThan(0);
  });
});
