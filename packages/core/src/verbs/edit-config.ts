import { editConfig } from '../edit/config.ts';
import type { ConfigChanges } from '../edit/config.ts';
import { rewriteImage } from '../edit/rewrite.ts';
import type { RewrittenManifest, RewriteOptions } from '../edit/rewrite.ts';
import { makePlan } from '../image/make-plan.ts';
import { transfer } from '../image/push.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { normalizeName } from '../spec/reference.ts';

export interface EditConfigRequest extends RewriteOptions {
  /** Where the image is, and where the new one goes. */
  readonly store: ImageStore;
  readonly reference: string;
  /** The new image's name; by default the old one, which moves. */
  readonly name?: string;
  readonly changes: ConfigChanges;
}

export interface EditReport {
  readonly image: NamedImage;
  /** What the reference meant before. */
  readonly from: Descriptor;
  /** The images that were edited: one, or those of an index that were chosen. */
  readonly manifests: readonly RewrittenManifest[];
}

/**
 * Changes how an image is run and what is said of it, without a new layer: configs and manifests are written anew, and the index
 * above them; no layer is read. NOT_FOUND where there is no such image or platform.
 */
export async function editImageConfig(request: EditConfigRequest): Promise<EditReport> {
  const { store, reference, changes } = request;
  const found = await store.resolve(reference);
  const name = request.name === undefined ? found.name : normalizeName(request.name);
  const rewritten = await rewriteImage(store, found.descriptor, async (image) => editConfig(image, changes), request);
  const image: NamedImage = { ...(name === undefined ? {} : { name }), descriptor: rewritten.root };
  const plan = await makePlan(rewritten.source, [image], request.limits === undefined ? {} : { limits: request.limits });
  await transfer(plan, store, request.signal === undefined ? {} : { signal: request.signal });
  return { image, from: found.descriptor, manifests: rewritten.images };
}
