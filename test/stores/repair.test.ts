import { expect, it } from 'vitest';
import { blobPath, importImages, makePlan, memoryDriver, verifyImages } from '@oci-tar/core';
import { addImages, listed, memoryStore } from '../support/images.ts';

it('a damaged blob is discarded, a sound one is not, and the next import brings it back', async () => {
  const source = memoryStore();
  const [image] = await addImages(source, { name: 'docker.io/library/hello:1' });
  if (image === undefined) throw new Error('no image');
  const driver = memoryDriver();
  const target = memoryStore(driver);
  await importImages(source, { target });
  const layer = [...(await makePlan(source, [image])).contents.values()].find(({ role }) => role === 'layer')?.descriptor;
  if (layer === undefined) throw new Error('no layer');
  const damaged = await driver.writer(blobPath(layer.digest));
  await damaged.write(new Uint8Array(layer.size));
  await damaged.commit();

  // Of the right size, it is relied on: nothing is read again.
  await importImages(source, { target });
  expect((await verifyImages(target, await listed(target))).problems).toMatchObject([{ code: 'DIGEST_MISMATCH' }]);

  expect(await target.discardDamaged?.(image.descriptor)).toBe(false);
  expect(await target.discardDamaged?.(layer)).toBe(true);
  expect(await target.discardDamaged?.(layer)).toBe(false);
  await importImages(source, { target });
  expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
});
