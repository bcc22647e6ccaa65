import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileSource, openFile } from '../../packages/core/src/runtime/node/files.ts';

const content = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 31) % 251);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-tar-files-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each([
  ['opened for each run of reads', async (path: string) => ({ ...(await fileSource(path)), close: async () => {} })],
  ['open', openFile],
])('a file that is %s', (_, open) => {
  const opened = async (path: string) => {
    const file = await open(path);
    const reads = await file.open?.();
    if (reads === undefined) throw new Error('a file can be read into memory');
    return { readInto: reads.readInto, close: () => reads.close().then(() => file.close()) };
  };

  it('is read into memory that is there, shared with threads or not', async () => {
    const path = join(folder, 'file');
    await writeFile(path, content);
    const file = await opened(path);
    for (const memory of [new Uint8Array(2_000_100), new Uint8Array(new SharedArrayBuffer(2_000_100))]) {
      await file.readInto(memory.subarray(50, 2_000_050), 999_999);
      expect(Buffer.compare(memory.subarray(50, 2_000_050), content.subarray(999_999, 2_999_999))).toBe(0);
      expect([...memory.subarray(0, 50), ...memory.subarray(2_000_050)].every((byte) => byte === 0)).toBe(true);
    }
    await file.readInto(new Uint8Array(0), content.length);
    await file.close();
  });

  it('refuses to be read beyond its end, and tells when it became shorter', async () => {
    const path = join(folder, 'file');
    await writeFile(path, content);
    const file = await opened(path);
    await expect(file.readInto(new Uint8Array(2), content.length - 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(file.readInto(new Uint8Array(2), -1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await truncate(path, 1000);
    await expect(file.readInto(new Uint8Array(200), 900)).rejects.toMatchObject({ code: 'SIZE_MISMATCH', details: { actual: 1000 } });
    await file.close();
  });
});
