import { digestBytes } from '../bytes/digest.ts';
import { assert, assertEqual, noise } from './assert.ts';
import type { DriverCase } from './driver-conformance.ts';
import type { ImageDriver, LeasedBlob } from '../layout/driver.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** What writers say that they rely on. A driver that offers no leases cannot be pruned, and has nothing to show here. */
export const leaseCases: readonly DriverCase[] = [
  {
    name: 'tells inside exclusive what is leased, with the type of what may refer to others, until it is released',
    on: 'random',
    async run({ driver }) {
      await driver.init();
      const blobs = await Promise.all([1, 2, 3].map(async (seed): Promise<LeasedBlob> => ({ digest: await digestBytes(noise(10, seed)), size: 10, mediaType: manifestType })));
      const [one, other] = [await driver.lease?.(), await driver.lease?.()];
      if (one === undefined || other === undefined) return;
      assertEqual(await leased(driver), [], 'leased before');
      await one.add(blobs.slice(0, 1));
      await one.add(blobs.slice(1, 2));
      await other.add(blobs.slice(1, 3));
      assertEqual(new Set(await leased(driver)).size, 3, 'how many are leased');
      assert((await driver.exclusive(async () => driver.writers?.()))?.leased.every((blob) => blob.mediaType === manifestType && blob.size === 10) === true, 'type and size are told');
      await one.release();
      assertEqual(await leased(driver), blobs.slice(1, 3).map(({ digest }) => digest).sort(), 'leased after the first was released');
      await driver.exclusive(() => other.confirm());
      await other.release();
      assertEqual(await leased(driver), [], 'leased in the end');
    },
  },
  {
    name: 'adds nothing to a lease while somebody is inside exclusive',
    on: 'random',
    async run({ driver }) {
      await driver.init();
      const lease = await driver.lease?.();
      if (lease === undefined) return;
      const digest = await digestBytes(noise(10, 1));
      let added = false;
      let adding: Promise<void> | undefined;
      await driver.exclusive(async () => {
        adding = lease.add([{ digest, size: 10, mediaType: manifestType }]).then(() => void (added = true));
        assertEqual((await driver.writers?.())?.leased.length, 0, 'leased meanwhile');
        assertEqual(added, false, 'whether it was added meanwhile');
      });
      await adding;
      assertEqual(await leased(driver), [digest], 'leased afterwards');
    },
  },
];

async function leased(driver: ImageDriver): Promise<readonly string[]> {
  const found = await driver.exclusive(async () => driver.writers?.());
  return (found?.leased ?? []).map(({ digest }) => digest).sort();
}
