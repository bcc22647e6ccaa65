import { driverConformance } from '@oci-tar/core/testing';
import { describe, expect, it } from 'vitest';
import { memoryDriver } from '../../packages/core/src/drivers/memory.ts';

describe('memoryDriver', () => {
  const harness = {
    access: 'random' as const,
    create: async () => memoryDriver(),
    reopen: async (driver: ReturnType<typeof memoryDriver>) => {
      await driver.close();
      return driver;
    },
  };
  for (const { name, run } of driverConformance(harness)) it(name, run);

  describe('limit', () => {
    const write = async (driver: ReturnType<typeof memoryDriver>, size: number, fill: number) => {
      const writer = await driver.blobWriter();
      await writer.write(new Uint8Array(size).fill(fill));
      return writer.commit();
    };

    it('refuses the byte that is one too many, and takes what fits afterwards', async () => {
      const driver = memoryDriver({ limit: 1000 });
      await write(driver, 600, 1);
      await expect(write(driver, 401, 2)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 1000 } });
      await write(driver, 400, 3);
      await expect(write(driver, 1, 4)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    });

    it('counts what is being written, and gives it back at abort', async () => {
      const driver = memoryDriver({ limit: 1000 });
      const writer = await driver.writer('index.json');
      await writer.write(new Uint8Array(1000));
      await expect(write(driver, 1, 1)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
      await writer.abort();
      await write(driver, 1000, 2);
    });

    it('gives back what is removed, replaced, sent twice or sealed and dropped', async () => {
      const driver = memoryDriver({ limit: 1000 });
      for (let round = 0; round < 3; round++) {
        const { digest } = await write(driver, 300, 1);
        await write(driver, 300, 1);
        await driver.remove(`blobs/${digest.replace(':', '/')}`);
        const file = await driver.writer('index.json');
        await file.write(new Uint8Array(300));
        await file.commit();
        const blob = await driver.blobWriter();
        await blob.write(new Uint8Array(700));
        const sealed = await blob.seal?.();
        await sealed?.abort();
        await sealed?.abort();
      }
      await write(driver, 700, 9);
      await expect(write(driver, 1, 8)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    });
  });

  it('can be written again after close', async () => {
    const driver = memoryDriver();
    await driver.close();
    const writer = await driver.writer('index.json');
    await writer.commit();
    expect((await driver.reader('index.json')).size).toBe(0);
  });
});
