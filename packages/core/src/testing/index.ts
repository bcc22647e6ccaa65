export { driverConformance } from './driver-conformance.ts';
export type { ConformanceCase, DriverHarness } from './driver-conformance.ts';
