import type { ImageStore, NamedImage } from '../image/store.ts';
import type { PlanOptions } from '../image/make-plan.ts';
import type { Gap, Plan, RewrittenImage } from '../image/plan.ts';
import { countReferrersLeft } from '../image/plan-referrers.ts';
import type { PushOptions } from '../image/push.ts';

/** What every verb that moves images takes: which platforms, how many blobs at a time, an AbortSignal, who hears of the progress. */
export interface MoveOptions extends PlanOptions, PushOptions {}

/** What was moved. */
export interface MoveReport {
  readonly images: readonly NamedImage[];
  /** Different blobs of the images, moved or there already. */
  readonly blobs: number;
  /** Their bytes. */
  readonly bytes: number;
  /** What was taken along because it refers to the images; listed in the target with its subject. */
  readonly referrers: readonly NamedImage[];
  /** How many of these the source is known to have beside; without `referrers`, only those that are found without reading manifests. */
  readonly referrersLeft: number;
  /** What the images refer to and was left out. */
  readonly gaps: readonly Gap[];
  /** Images that came with a smaller index than the source has; `images` has the new ones. */
  readonly rewritten: readonly RewrittenImage[];
}

export function reportOf(plan: Plan, referrersLeft = 0): MoveReport {
  return { images: plan.images, blobs: plan.contents.size, bytes: plan.size, gaps: plan.gaps, referrers: plan.referrers, referrersLeft, rewritten: plan.rewritten ?? [] };
}

/** How many referrers a move leaves behind that did not ask for them. */
export async function referrersLeft(source: ImageStore, plan: Plan, { referrers }: PlanOptions): Promise<number> {
  return referrers === true ? 0 : countReferrersLeft(source, plan);
}
