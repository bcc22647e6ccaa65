import type { BuildReport } from '../seekable/build.ts';
import type { Compressor, Decompressor } from '../seekable/format.ts';
import { assert } from './assert.ts';
import type { ConformanceCase } from './driver-conformance.ts';
import { buildCases } from './seekable-builds.ts';
import { damageCases } from './seekable-damage.ts';
import { readCases } from './seekable-reads.ts';
import { SeekableSession } from './seekable-session.ts';

/** How the suite gets at a format of seekable layers. */
export interface SeekableHarness {
  /** What writes blobs. */
  readonly compressor: Compressor;
  /** What reads a blob that was built: mostly the format itself; one that was given the TOC where that is elsewhere (`report.externalToc`). */
  decompressor(report: BuildReport): Decompressor;
  /** Chunks are alone in their members, so that there is no minimum chunk size. False by default. */
  readonly chunksAlone?: boolean;
  /** The format cuts files itself, so that the chunk size has no effect. False by default. */
  readonly ownChunks?: boolean;
  /** Cases that cannot hold for this format, each with the reason. A name that no case has is an error. */
  readonly skip?: readonly { readonly name: string; readonly reason: string }[];
}

/** One promise of a format and the steps that would show it broken. */
export interface SeekableCase {
  readonly name: string;
  /** Whether it is one for this format; for every one when absent. */
  readonly applies?: (harness: SeekableHarness) => boolean;
  run(session: SeekableSession): Promise<void>;
}

/**
 * The promises of a compression of seekable layers (`SeekableFormat`), one case each, for any test runner:
 * `for (const { name, run } of seekableConformance(harness)) it(name, run)`. Throws when `skip` names no case.
 */
export function seekableConformance(harness: SeekableHarness): readonly ConformanceCase[] {
  const cases = [...buildCases, ...readCases, ...damageCases];
  const skipped = new Set(harness.skip?.map(({ name }) => name));
  for (const name of skipped) assert(cases.some((one) => one.name === name), `skip names no case: ${name}`);
  return cases
    .filter(({ name, applies }) => !skipped.has(name) && (applies === undefined || applies(harness)))
    .map(({ name, run }) => ({ name, run: () => run(new SeekableSession(harness)) }));
}
