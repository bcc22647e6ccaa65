import type { ImageDriver } from '../layout/driver.ts';
import { assert, assertEqual } from './assert.ts';
import { blobCases } from './driver-blobs.ts';
import { fileCases } from './driver-files.ts';
import { leaseCases } from './driver-leases.ts';
import { DriverSession } from './driver-session.ts';
import { wholeCases } from './driver-whole.ts';

/** How the suite gets at a driver. */
export interface DriverHarness {
  /** What the driver says of itself; it decides which cases there are. */
  readonly access: 'random' | 'append';
  /** A driver over a new, empty medium. `init` has not been called. */
  create(): Promise<ImageDriver>;
  /** Closes a driver that `create` gave and opens its medium anew, for reading at least. */
  reopen(driver: ImageDriver): Promise<ImageDriver>;
  /** Cases that cannot hold on this medium, each with the reason. A name that no case has is an error. */
  readonly skip?: readonly { readonly name: string; readonly reason: string }[];
}

export interface ConformanceCase {
  readonly name: string;
  run(): Promise<void>;
}

/** One promise of the ImageDriver interface and the steps that would show it broken. */
export interface DriverCase {
  readonly name: string;
  /** On which media; on both when absent. */
  readonly on?: 'random' | 'append';
  run(session: DriverSession): Promise<void>;
}

/**
 * The promises of an ImageDriver, one case each, for any test runner:
 * `for (const { name, run } of driverConformance(harness)) it(name, run)`. Throws when `skip` names no case.
 */
export function driverConformance(harness: DriverHarness): readonly ConformanceCase[] {
  const cases = [...wholeCases, ...fileCases, ...blobCases, ...leaseCases];
  const skipped = new Set(harness.skip?.map(({ name }) => name));
  for (const name of skipped) assert(cases.some((one) => one.name === name), `skip names no case: ${name}`);
  return cases
    .filter(({ name, on }) => !skipped.has(name) && (on === undefined || on === harness.access))
    .map(({ name, run }) => ({ name, run: () => runCase(harness, run) }));
}

async function runCase(harness: DriverHarness, run: DriverCase['run']): Promise<void> {
  const driver = await harness.create();
  assertEqual(driver.access, harness.access, 'access of the driver');
  const session = new DriverSession(driver, harness);
  try {
    await run(session);
  } finally {
    await session.end();
  }
}
