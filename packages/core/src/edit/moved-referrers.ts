import { digestBytes } from '../bytes/digest.ts';
import { withBlobs } from '../image/overlay.ts';
import { readBlob } from '../image/read.ts';
import type { ImageStore } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { stringifyJson } from '../spec/json.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { objectIn, parseRaw, withField } from './json.ts';

/**
 * A source in which what refers to the old images refers to the new ones: copies of the referrers with another subject, made when they
 * are asked for, and of what refers to these in turn. A signature is kept as it is, but what it signs is the old image.
 */
export function withMovedReferrers(source: ImageStore, moved: readonly { readonly from: Descriptor; readonly to: Descriptor }[], limits?: JsonLimits): ImageStore {
  const blobs = new Map<Digest, Uint8Array>();
  const origins = new Map(moved.filter(({ from, to }) => from.digest !== to.digest).map(({ from, to }) => [to.digest, from]));
  const { referrers } = source;
  if (referrers === undefined) return source;
  return {
    ...withBlobs(source, blobs),
    async *referrers(subject, options) {
      const from = origins.get(subject.digest);
      if (from === undefined) {
        yield* referrers.call(source, subject, options);
        return;
      }
      const { mediaType, digest, size } = subject;
      for await (const referrer of referrers.call(source, from, options)) {
        const raw = parseRaw(await readBlob(source, referrer, limits?.bytes), { subject: referrer.digest });
        const bytes = stringifyJson(withField(raw, 'subject', { ...objectIn(raw, 'subject'), mediaType, digest, size }));
        const to = { ...referrer, digest: await digestBytes(bytes, hashAlgorithm(referrer.digest)), size: bytes.byteLength };
        blobs.set(to.digest, bytes);
        origins.set(to.digest, referrer);
        yield to;
      }
    },
  };
}
