import { describe, expect, it } from 'vitest';
import { annotationKeys, isOciTarError, layoutStore, memoryDriver, tagImage } from '@oci-tar/core';
import type { ImageDriver } from '@oci-tar/core';
import { readIndex, writeFile, writeIndex } from '../../packages/core/src/layout/files.ts';
import { defaultLimits } from '../../packages/core/src/spec/limits.ts';
import { addImages } from '../support/images.ts';

async function nearlyFull(): Promise<ImageDriver> {
  const driver = memoryDriver();
  await addImages(layoutStore(driver), { name: 'docker.io/library/hello:1' });
  const filling = 'x'.repeat(defaultLimits.bytes - 1000);
  await writeIndex(driver, (await readIndex(driver)).manifests.map((entry) => ({ ...entry, annotations: { ...entry.annotations, filling } })));
  return driver;
}

describe('index.json', () => {
  it('never becomes longer than can be read again: the name that is one too many is refused, and the others stay', async () => {
    const driver = await nearlyFull();
    const store = layoutStore(driver);
    const other = `docker.io/library/${'long'.repeat(50)}`;
    const tag = async () => {
      for (let n = 0; n < 10; n++) await tagImage(store, 'hello:1', `${other}:${n}`);
    };
    await expect(tag()).rejects.toSatisfy((error) => isOciTarError(error, 'LIMIT_EXCEEDED'));
    const { manifests } = await readIndex(driver);
    expect(manifests[0]?.annotations?.[annotationKeys.refName]).toBe('docker.io/library/hello:1');
    await store.remove?.('hello:1');
    expect((await readIndex(driver)).manifests).toHaveLength(manifests.length - 1);
  });

  it('is not written into a layout of a version that is not known', async () => {
    const driver = memoryDriver();
    await writeFile(driver, 'oci-layout', new TextEncoder().encode('{"imageLayoutVersion":"2.0.0"}'));
    await expect(layoutStore(driver).begin?.()).rejects.toSatisfy((error) => isOciTarError(error, 'INVALID_LAYOUT'));
    const paths: string[] = [];
    for await (const { path } of driver.list()) paths.push(path);
    expect(paths).toEqual(['oci-layout']);
  });
});
