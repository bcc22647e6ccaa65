import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HandleWriter } from '../../packages/core/src/runtime/node/handle.ts';

const mebibyte = 1024 * 1024;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'oci-tar-handle-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes so many mebibytes, each of its own value, and finishes. `sync` stands in for the system's. */
async function written(name: string, mebibytes: number, options: { readonly lasting?: boolean }, sync: () => Promise<void>): Promise<string> {
  const path = join(directory, name);
  const handle: FileHandle = await open(path, 'w');
  handle.datasync = sync;
  const writer = new HandleWriter(handle, path, options);
  try {
    for (let i = 0; i < mebibytes; i++) await writer.write(Buffer.alloc(mebibyte, i));
    await writer.finish();
  } finally {
    await handle.close();
  }
  return path;
}

describe('a file that is to last', () => {
  it('is sent to the disk while it is written, one call at a time', async () => {
    let calls = 0;
    let under = 0;
    let most = 0;
    const path = await written('lasting', 100, { lasting: true }, async () => {
      calls++;
      most = Math.max(most, ++under);
      await new Promise((resolve) => setImmediate(resolve));
      under--;
    });
    expect(calls).toBeGreaterThanOrEqual(1);
    expect(most).toBe(1);
    expect(under).toBe(0);
    const bytes = readFileSync(path);
    expect(bytes.byteLength).toBe(100 * mebibyte);
    for (let i = 0; i < 100; i++) expect([bytes[i * mebibyte], bytes[(i + 1) * mebibyte - 1]]).toEqual([i, i]);
  });

  it('fails where the disk did, though a later sync may succeed', async () => {
    let calls = 0;
    const failing = () => (calls++ === 0 ? Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })) : Promise.resolve());
    await expect(written('failing', 100, { lasting: true }, failing)).rejects.toMatchObject({ code: 'NO_SPACE' });
  });

  it('is not while it is short, nor is one that is not to last', async () => {
    let calls = 0;
    const count = async () => void calls++;
    await written('short', 8, { lasting: true }, count);
    await written('passing', 100, {}, count);
    expect(calls).toBe(0);
  });
});
