import { OciTarError } from '../errors.ts';
import { checkConfigs } from '../image/check.ts';
import { makePlan } from '../image/make-plan.ts';
import { transfer } from '../image/push.ts';
import { asOwnImage, withoutReferrers } from '../image/referrers.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { referrersLeft, reportOf } from './options.ts';
import type { MoveOptions, MoveReport } from './options.ts';

export interface CopyRequest extends MoveOptions {
  readonly source: ImageStore;
  readonly target: ImageStore;
  /** Which image; may be left out where the source has just one. */
  readonly reference?: string;
  /** The same as it was resolved in the source, which is then not asked again; comes before `reference`. */
  readonly image?: NamedImage;
  /** The image's name in the target; as in the source by default. Null: it is listed there without a name. */
  readonly name?: string | null;
}

/** Copies one image from one place to another, verified on the way, its bytes unchanged. */
export async function copyImage(request: CopyRequest): Promise<MoveReport> {
  const found = asOwnImage(request.image ?? (request.reference === undefined ? await onlyImage(request.source) : await request.source.resolve(request.reference)));
  const name = request.name === undefined ? found.name : request.name;
  const image: NamedImage = name === undefined || name === null ? { descriptor: found.descriptor } : { name, descriptor: found.descriptor };
  const plan = await makePlan(request.source, [image], request);
  await checkConfigs(plan, request.limits);
  const left = await referrersLeft(request.source, plan, request);
  await transfer(plan, request.target, request);
  return reportOf(plan, left);
}

/** The one image of a place; what only refers to it does not count. NOT_FOUND when there is none, CONFLICT when there are several. */
export async function onlyImage(store: ImageStore): Promise<NamedImage> {
  const found: NamedImage[] = [];
  for await (const image of store.images()) found.push(image);
  const images = await withoutReferrers(store, found);
  const [first] = images;
  if (first === undefined) throw new OciTarError('NOT_FOUND', `${store.name} holds no image`, { side: 'source', subject: store.name });
  if (new Set(images.map((image) => image.descriptor.digest)).size === 1) return first;
  const names = images.map(({ name, descriptor }) => name ?? descriptor.digest);
  throw new OciTarError('CONFLICT', `${store.name} holds ${images.length} images; say which`, {
    side: 'source',
    subject: store.name,
    hint: `It holds ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}.`,
  });
}
