import { OciTarError, isOciTarError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { isIndexType } from '../spec/media-type.ts';
import type { Platform } from '../spec/platform.ts';
import { isContentFault } from './fault.ts';
import { planWalked } from './make-plan.ts';
import type { PlanOptions } from './make-plan.ts';
import type { Content, Plan, RewrittenImage } from './plan.ts';
import { openBlob } from './read.ts';
import type { ImageStore, NamedImage } from './store.ts';
import { verifyImages } from './verify.ts';
import type { VerifyProblem } from './verify.ts';
import { below } from './walk-failure.ts';
import { Walk } from './walk.ts';
import type { Walked, WalkedImage } from './walk.ts';

export interface PreflightOptions extends PlanOptions {
  /** Where the images would go, to tell what is there already. It is only read. */
  readonly target?: Pick<ImageStore, 'open'>;
  /** Reads every blob, as `verifyImages` does. Without it only manifests and indexes are read. */
  readonly verify?: boolean;
  /** Throws what the move would find wrong with the plan as a whole: `checkConfigs` for an import, `checkDockerArchive` for such a target. */
  readonly check?: (plan: Plan) => Promise<unknown>;
  /** For `verify`: blobs read at a time, and who hears of the bytes. */
  readonly jobs?: number;
  readonly onBytes?: (count: number) => void;
}

/** What a move of images would do, found out without touching anything. */
export interface PreflightReport {
  readonly images: readonly PreflightImage[];
  /** What would move: blobs of complete images and platforms that are not at the target. */
  readonly moving: PreflightCount;
  /** What the target has already. */
  readonly there: PreflightCount;
  /** Images whose index would be rewritten. */
  readonly rewritten: readonly RewrittenImage[];
  /** The error that the move would end with, or the first damage that the verification found of what would move. */
  readonly failure?: OciTarError;
}

export interface PreflightCount {
  readonly blobs: number;
  readonly bytes: number;
}

export interface PreflightImage {
  readonly name?: string;
  readonly descriptor: Descriptor;
  /** `sparse`: it moves, and something of it does not. `incomplete`: it cannot move as it was asked for. */
  readonly state: 'complete' | 'sparse' | 'incomplete' | 'corrupt';
  /** What the image's index lists, nested indexes unfolded; the one manifest of an image without an index. */
  readonly parts: readonly PreflightPart[];
  /** Why the image cannot move. */
  readonly failure?: OciTarError;
}

export interface PreflightPart {
  readonly descriptor: Descriptor;
  /** Those that the image lists this for; several where it lists the same manifest several times. */
  readonly platforms: readonly Platform[];
  /** `orphaned`: it describes an image that does not move. */
  readonly state: 'complete' | 'absent' | 'filtered' | 'orphaned' | 'corrupt';
  /** It and its config and layers, as far as they are here and asked for. */
  readonly here: PreflightCount;
  readonly absent: readonly Descriptor[];
  /** Layers that stay where their urls are. */
  readonly foreign: readonly Descriptor[];
  readonly corrupt: readonly CorruptBlob[];
}

export interface CorruptBlob {
  readonly descriptor: Descriptor;
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Says per image and platform what is complete, absent, foreign, filtered and, with `verify`, corrupt, and what a move would
 * carry. It goes on after damage; it throws only for what is no fault of an image (an abort, a medium that fails).
 */
export async function preflight(source: ImageStore, images: readonly NamedImage[], options: PreflightOptions = {}): Promise<PreflightReport> {
  const walk = new Walk(source, options, true);
  const walked: WalkedImage[] = [];
  for (const image of images) walked.push(await walk.image(image));
  const sound = walked.filter((one) => one.failure === undefined);
  const { plan, failure: unplanned } = await planOf(walk, sound, source, options);
  const problems = options.verify === true ? await corruptIn(source, walked, options) : [];
  const byDigest = new Map<Digest, VerifyProblem[]>();
  for (const problem of problems) byDigest.set(problem.descriptor.digest, [...(byDigest.get(problem.descriptor.digest) ?? []), problem]);
  const failure = walked.find((one) => one.failure !== undefined)?.failure ?? unplanned ?? errorOf(problems.find(({ descriptor }) => plan.contents.has(descriptor.digest)));
  return {
    images: walked.map((one) => reportOf(one, byDigest)),
    ...(await countsOf(plan, options)),
    rewritten: plan.rewritten ?? [],
    ...(failure === undefined ? {} : { failure }),
  };
}

/** What would move, as far as it can be planned. */
async function planOf(walk: Walk, sound: readonly WalkedImage[], source: ImageStore, options: PreflightOptions): Promise<{ readonly plan: Plan; readonly failure?: OciTarError }> {
  let plan = walk.plan(sound.map(({ image }) => image));
  try {
    plan = await planWalked(walk, sound, source, options);
    await options.check?.(plan);
    return { plan };
  } catch (error) {
    if (!isContentFault(error, options.signal)) throw error;
    return { plan, failure: error };
  }
}

/** Verifies what is here of the images and was asked for. What is absent has been told of. */
async function corruptIn(source: ImageStore, walked: readonly WalkedImage[], { limits, jobs, signal, onBytes }: PreflightOptions): Promise<readonly VerifyProblem[]> {
  const looked = new Set<Digest>();
  for (const { root } of walked) {
    for (const { walked: part } of below(root)) {
      if (part.state !== 'complete' && part.state !== 'incomplete') continue;
      looked.add(part.descriptor.digest);
      for (const { descriptor } of part.blobs) looked.add(descriptor.digest);
    }
  }
  const view: ImageStore = {
    name: source.name,
    images: () => source.images(),
    resolve: (reference) => source.resolve(reference),
    async open(blob) {
      if (looked.has(blob.digest)) return openBlob(source, blob);
      throw new OciTarError('NOT_FOUND', `${blob.digest} is not looked at`, { subject: blob.digest });
    },
    close: async () => {},
  };
  const options = {
    ...(limits === undefined ? {} : { limits }),
    ...(jobs === undefined ? {} : { jobs }),
    ...(signal === undefined ? {} : { signal }),
    ...(onBytes === undefined ? {} : { onBytes }),
  };
  const report = await verifyImages(view, walked.map(({ image }) => image), options);
  return report.problems.filter(({ code }) => code !== 'NOT_FOUND');
}

/** By the digest of the blob that has them. */
type Problems = ReadonlyMap<Digest, readonly VerifyProblem[]>;

function reportOf({ image, root, failure }: WalkedImage, problems: Problems): PreflightImage {
  const parts = partsOf(root, problems);
  const others = parts.some(({ state }) => state !== 'complete') || parts.some(({ foreign }) => foreign.length > 0);
  const state = parts.some(({ corrupt }) => corrupt.length > 0) ? 'corrupt' : failure !== undefined ? 'incomplete' : others ? 'sparse' : 'complete';
  return { ...image, state, parts, ...(failure === undefined ? {} : { failure }) };
}

/** One part for each manifest and state, so that an index that lists one many times makes no longer a report. */
function partsOf(root: Walked, problems: Problems): readonly PreflightPart[] {
  const parts = new Map<string, PreflightPart>();
  for (const { walked } of below(root)) {
    const { descriptor, platform, state } = walked;
    const own = [...walked.damage.map(({ descriptor: damaged, error }) => ({ descriptor: damaged, code: error.code, message: error.message })), ...problemsOf(walked, problems)];
    // An index is told of by its parts, unless it is what is wrong.
    if (isIndexType(descriptor.mediaType) && own.length === 0 && (state === 'complete' || state === 'incomplete' || walked.parts.length > 0)) continue;
    const key = `${state} ${descriptor.digest}`;
    const known = parts.get(key);
    const platforms = [...(known?.platforms ?? []), ...(platform === undefined ? [] : [platform])];
    parts.set(key, { ...(known ?? partOf(walked, own)), platforms });
  }
  return [...parts.values()];
}

function partOf({ descriptor, state, blobs, gaps }: Walked, corrupt: readonly CorruptBlob[]): PreflightPart {
  const because = (why: string) => gaps.flatMap((gap) => (gap.why === why ? [gap.descriptor] : []));
  const itself = state === 'complete' || state === 'incomplete' ? [descriptor] : [];
  const here = new Map([...itself, ...blobs.map((blob) => blob.descriptor)].map((blob) => [blob.digest, blob.size]));
  return {
    descriptor,
    platforms: [],
    state: corrupt.length > 0 || state === 'damaged' ? 'corrupt' : state === 'incomplete' ? 'absent' : state,
    here: { blobs: here.size, bytes: [...here.values()].reduce((sum, size) => sum + size, 0) },
    absent: state === 'absent' ? [descriptor] : because('absent'),
    foreign: because('foreign'),
    corrupt: [...new Map(corrupt.map((blob) => [`${blob.descriptor.digest} ${blob.message}`, blob])).values()],
  };
}

function problemsOf({ descriptor, state, blobs }: Walked, problems: Problems): readonly CorruptBlob[] {
  if (problems.size === 0 || (state !== 'complete' && state !== 'incomplete')) return [];
  const digests = new Set<Digest>([descriptor.digest, ...blobs.map((blob) => blob.descriptor.digest)]);
  return [...digests].flatMap((digest) => problems.get(digest) ?? []).map(({ descriptor: blob, code, message }) => ({ descriptor: blob, code, message }));
}

async function countsOf({ contents }: Plan, { target, signal }: PreflightOptions): Promise<Pick<PreflightReport, 'moving' | 'there'>> {
  const moving = { blobs: 0, bytes: 0 };
  const there = { blobs: 0, bytes: 0 };
  for (const content of contents.values()) {
    signal?.throwIfAborted();
    const count = (await isThere(target, content)) ? there : moving;
    count.blobs += 1;
    count.bytes += content.descriptor.size;
  }
  return { moving, there };
}

async function isThere(target: PreflightOptions['target'], { descriptor }: Content): Promise<boolean> {
  if (target === undefined) return false;
  try {
    await target.open(descriptor);
    return true;
  } catch (error) {
    // One of another size is written anew.
    if (isOciTarError(error, 'NOT_FOUND') || isOciTarError(error, 'SIZE_MISMATCH')) return false;
    throw error;
  }
}

function errorOf(problem: VerifyProblem | undefined): OciTarError | undefined {
  return problem === undefined ? undefined : new OciTarError(problem.code, problem.message, { side: 'source', subject: problem.image });
}
