import { preflight } from '@oci-tar/core';
import type { ImageStore, NamedImage, PreflightOptions } from '@oci-tar/core';
import type { Options } from 'yargs';
import { print } from './context.ts';
import type { Context } from './context.ts';
import { UsageError, exitStatus, failureOf } from './failure.ts';
import { flagOption } from './options.ts';
import { displayName } from './outcome.ts';
import { preflightJson, preflightText } from './preflight-text.ts';

export const dryRunOptions = {
  'dry-run': flagOption('Only says what would move, what is missing and what is there already; touches nothing'),
  verify: flagOption('With --dry-run: reads every blob and says which are damaged'),
} as const satisfies Readonly<Record<string, Options>>;

interface DryRunValues {
  readonly 'dry-run': boolean | undefined;
  readonly verify: boolean | undefined;
}

/** Whether this is a dry run. */
export function isDryRun({ 'dry-run': dryRun, verify }: DryRunValues): boolean {
  if (verify === true && dryRun !== true) throw new UsageError('--verify goes with --dry-run', 'Every blob is checked against its digest anyway. To check diffIDs as well: oci-tar verify');
  return dryRun === true;
}

export interface DryRun extends Omit<PreflightOptions, 'target'> {
  readonly source: ImageStore;
  readonly images: readonly NamedImage[];
  /** Where they would go; absent for what is made anew. It is only read. */
  readonly target?: ImageStore;
  /** More for `--json`. */
  readonly json?: object;
}

/** Says what a move would do. Resolves to the exit status that it would have. */
export async function dryRun({ source, images, target, json, ...options }: DryRun, context: Context): Promise<number> {
  // A target that is no sound layout would end the move.
  for await (const _ of target?.images() ?? []) break;
  context.progress.start(options.verify === true ? 'verifying' : 'looking');
  const report = await preflight(source, images, {
    ...options,
    ...(target === undefined ? {} : { target }),
    signal: context.signal,
    onBytes: (count) => context.progress.add(count),
  });
  const failure = report.failure === undefined ? undefined : failureOf(report.failure);
  const status = failure?.status ?? exitStatus.ok;
  await print(context, {
    json: { dryRun: true, ok: failure === undefined, status, ...(failure?.report === undefined ? {} : { error: failure.report }), ...json, ...preflightJson(report) },
    text: preflightText(report, failure, context),
    names: report.images.flatMap((image) => (image.failure === undefined ? [displayName(image)] : [])),
  });
  return status;
}
