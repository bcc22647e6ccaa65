import { verified } from '../bytes/digest.ts';
import { counted } from '../bytes/stream.ts';
import { isOciTarError } from '../errors.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { isContentFault } from './fault.ts';
import type { ImageStore } from './store.ts';
import type { VerifyOptions, VerifyProblem } from './verify.ts';

/** Blobs that lie in a store and belong to none of its images. */
export interface UnreferencedReport {
  readonly blobs: number;
  readonly bytes: number;
  /** Those whose content is not what their digest says. An import that needs such a blob would take it for what it needs. */
  readonly problems: readonly VerifyProblem[];
}

/** Reads the blobs that nobody has asked for yet and checks each against its digest. */
export async function verifyUnreferenced(store: ImageStore, isKnown: (digest: Digest) => boolean, options: VerifyOptions): Promise<UnreferencedReport> {
  let [blobs, bytes] = [0, 0];
  const problems: VerifyProblem[] = [];
  for await (const { digest, size } of store.blobs?.() ?? []) {
    if (isKnown(digest)) continue;
    const descriptor: Descriptor = { mediaType: 'application/octet-stream', digest, size };
    try {
      const source = await store.open(descriptor);
      const count = (read: number) => {
        options.signal?.throwIfAborted();
        options.onBytes?.(read);
      };
      for await (const chunk of verified(counted(source.read(), count), descriptor)) void chunk;
    } catch (error) {
      // Pruned meanwhile.
      if (isOciTarError(error, 'NOT_FOUND')) continue;
      if (!isContentFault(error, options.signal)) throw error;
      problems.push({ image: '', descriptor, code: error.code, message: error.message });
    }
    blobs += 1;
    bytes += size;
  }
  return { blobs, bytes, problems };
}
