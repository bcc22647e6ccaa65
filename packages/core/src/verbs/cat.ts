import { findFile } from '../image/find-file.ts';
import type { FindOptions, FoundFile } from '../image/find-file.ts';
import { imageOf } from './image-request.ts';
import type { ImageRequest } from './image-request.ts';

export interface ReadFileRequest extends ImageRequest, Pick<FindOptions, 'verify'> {
  /** From the root of the image, with or without a slash in front. */
  readonly path: string;
}

/**
 * Finds one file of an image and opens it: `read()` gives its bytes, once; `close()` gives it up. Symlinks are followed inside the
 * image, hardlinks and sparse files are what they stand for. NOT_FOUND, INVALID_ARGUMENT for what is no file, LIMIT_EXCEEDED behind
 * more than 40 symlinks; by default the layers that are searched are verified first, so that what comes is what manifest and config say.
 */
export async function readFile(request: ReadFileRequest): Promise<FoundFile> {
  return findFile(await imageOf(request), request.path, request);
}
