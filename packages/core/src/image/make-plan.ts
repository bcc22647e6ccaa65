import { OciTarError } from '../errors.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { withReferrers } from './plan-referrers.ts';
import type { Content, Plan } from './plan.ts';
import type { ReferrerLimits } from './referrers.ts';
import { withSmallerIndexes } from './smaller-index.ts';
import type { ImageStore, NamedImage } from './store.ts';
import { Walk } from './walk.ts';
import type { WalkedImage, WalkOptions } from './walk.ts';

export interface PlanOptions extends WalkOptions {
  /**
   * Moves a smaller index in the place of one of which not everything moves. Its digest is another one. By default an index
   * moves as it is, byte for byte, whatever is left out.
   */
  readonly rewriteIndex?: boolean;
  /** Takes along what refers to the images or to their manifests: signatures, attestations, SBOMs. Not by default. */
  readonly referrers?: boolean;
  /** How many of these, in all and one behind the other, before LIMIT_EXCEEDED. */
  readonly referrerLimits?: Partial<ReferrerLimits>;
}

/**
 * Lists everything that these images are made of, by reading their manifests and indexes and nothing else.
 * NOT_FOUND when an image is incomplete, with everything that it lacks; INVALID_MANIFEST when a manifest makes no sense.
 */
export async function makePlan(source: ImageStore, images: readonly NamedImage[], options: PlanOptions = {}): Promise<Plan> {
  const walk = new Walk(source, options);
  const walked: WalkedImage[] = [];
  for (const image of images) {
    const found = await walk.image(image);
    if (found.failure !== undefined) throw found.failure;
    walked.push(found);
  }
  return planWalked(walk, walked, source, options);
}

/** The plan of images that a walk found whole, with what the options want beside. */
export async function planWalked(walk: Walk, walked: readonly WalkedImage[], source: ImageStore, options: PlanOptions): Promise<Plan> {
  const plan = walk.plan(walked.map(({ image }) => image));
  const moving = options.rewriteIndex === true ? await withSmallerIndexes(plan, walked.map(({ root }) => root), source, options.limits) : plan;
  if (options.referrers !== true) return moving;
  // Whatever its platform: what is said of an image is no image to choose from.
  const { platforms: _platforms, ...others } = options;
  const planOne = (root: NamedImage) => makePlan(source, [root], { ...others, rewriteIndex: false, referrers: false });
  return withReferrers(moving, source, planOne, options);
}

/** The root of one image's graph in a plan. */
export function contentOf(plan: Plan, descriptor: Descriptor): Content {
  const content = plan.contents.get(descriptor.digest);
  if (content !== undefined) return content;
  throw new OciTarError('NOT_FOUND', `${descriptor.digest} is not in the plan`, { subject: descriptor.digest });
}
