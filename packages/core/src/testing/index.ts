export { driverConformance } from './driver-conformance.ts';
export type { ConformanceCase, DriverHarness } from './driver-conformance.ts';
export { seekableConformance } from './seekable-conformance.ts';
export type { SeekableHarness } from './seekable-conformance.ts';
export { blobDiffID, memberOffsets } from './seekable-blob.ts';
export type { SeekableBlobOptions } from './seekable-blob.ts';
