import { verified } from '../../bytes/digest.ts';
import { collect } from '../../bytes/source.ts';
import { asReferrer, subjectOf } from '../../image/referrers.ts';
import type { ReferrersOptions } from '../../image/store.ts';
import { checkSubjectSize } from '../../layout/referrers/entries.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { parseDocument } from '../../spec/document.ts';
import { parseJson } from '../../spec/json.ts';
import { defaultLimits } from '../../spec/limits.ts';
import { mediaTypes } from '../../spec/media-type.ts';
import type { CallOptions, Connection } from './connection.ts';
import { blobInfo, blobSource } from './content.ts';

/**
 * What a label names as a referrer: it says only a digest, so the manifest itself is read, which also tells its media type.
 * Undefined where it is not there, or refers to something else. SIZE_MISMATCH for one that says another size of its subject.
 */
export async function readReferrer(connection: Connection, digest: Digest, subject: Descriptor, { limits = defaultLimits }: ReferrersOptions, calls: CallOptions): Promise<Descriptor | undefined> {
  const info = await blobInfo(connection, digest, calls);
  if (info === undefined || info.size > limits.bytes) return undefined;
  const { size } = info;
  const bytes = await collect(verified(blobSource(connection, info, calls).read(), info), limits.bytes, digest);
  const descriptor = { mediaType: typeOf(parseJson(bytes, { limits })), digest, size };
  const document = parseDocument(bytes, descriptor, { limits });
  const claimed = document === undefined ? undefined : subjectOf(document);
  if (document === undefined || claimed?.digest !== subject.digest) return undefined;
  const referrer = asReferrer(descriptor, document);
  checkSubjectSize(referrer, claimed, subject);
  return referrer;
}

/** OCI's manifests need not say what they are; an index has manifests. */
function typeOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return mediaTypes.manifest;
  if ('mediaType' in value && typeof value.mediaType === 'string') return value.mediaType;
  return 'manifests' in value ? mediaTypes.index : mediaTypes.manifest;
}
