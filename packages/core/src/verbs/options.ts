import type { NamedImage } from '../image/store.ts';
import type { PlanOptions } from '../image/make-plan.ts';
import type { Gap, Plan } from '../image/plan.ts';
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
  /** What the images refer to and was left out. */
  readonly gaps: readonly Gap[];
}

export function reportOf(plan: Plan): MoveReport {
  return { images: plan.images, blobs: plan.contents.size, bytes: plan.size, gaps: plan.gaps };
}
