import { digestBytes } from '../../bytes/digest.ts';
import { collect } from '../../bytes/source.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { hashAlgorithm, isComputable, isDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { defaultLimits } from '../../spec/limits.ts';
import { isIndexType, isManifestType, mediaTypes } from '../../spec/media-type.ts';
import type { RegistryOptions } from './options.ts';
import type { Repository } from './repository.ts';
import type { HttpAnswer } from './transport.ts';
import { missingHeader } from './transport.ts';

const accepted = [mediaTypes.index, mediaTypes.manifest, mediaTypes.dockerIndex, mediaTypes.dockerManifest].join(', ');

/** A manifest or index as it came, verified. */
export interface ManifestBytes {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** The descriptor behind a tag or digest, by HEAD; where the registry leaves something out, by GET. NOT_FOUND. */
export async function resolveManifest(repository: Repository, reference: string, options: RegistryOptions): Promise<Descriptor> {
  const answer = await repository.read('resolve', { method: 'HEAD', path: `manifests/${reference}`, headers: { accept: accepted }, expect: [400, 404, 405] });
  await answer.discard();
  const size = Number(answer.header('content-length'));
  const digest = isDigest(reference) ? reference : answer.header('docker-content-digest');
  // Only the GET says in words what is wrong.
  if (answer.status >= 300 || digest === undefined || !isDigest(digest) || !Number.isSafeInteger(size) || size <= 0) return (await fetchManifest(repository, reference, options)).descriptor;
  return { mediaType: typeOf(answer), digest, size };
}

/** A manifest whole. DIGEST_MISMATCH where it is not what was asked for or what the registry calls it, LIMIT_EXCEEDED. */
export async function fetchManifest(repository: Repository, reference: string, options: RegistryOptions): Promise<ManifestBytes> {
  const { manifestLimit = defaultLimits.bytes } = options;
  // Which manifest a tag means is for those alone to say that may resolve it.
  const answer = await repository.read(isDigest(reference) ? 'pull' : 'resolve', { method: 'GET', path: `manifests/${reference}`, headers: { accept: accepted } });
  const mediaType = typeOf(answer);
  const announced = Number(answer.header('content-length') ?? 0);
  if (announced > manifestLimit) {
    await answer.discard();
    throw new OciTarError('LIMIT_EXCEEDED', `manifest ${reference} of ${repository.name} has ${announced} bytes, more than the limit of ${manifestLimit}`, { limit: manifestLimit, actual: announced, subject: reference });
  }
  const bytes = await collect(answer.body, manifestLimit, `manifest ${reference} of ${repository.name}`);
  const promised = isDigest(reference) ? reference : answer.header('docker-content-digest');
  const digest = await digestBytes(bytes, promised !== undefined && isDigest(promised) && isComputable(promised) ? hashAlgorithm(promised) : undefined);
  if (promised !== undefined && promised !== digest) {
    throw new OciTarError('DIGEST_MISMATCH', `manifest ${reference} of ${repository.name} is damaged: its digest is ${digest}, expected ${promised}`, { side: 'source', expected: promised, actual: digest, subject: reference });
  }
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
}

export async function hasManifest(repository: Repository, digest: Digest): Promise<boolean> {
  const answer = await repository.write({ method: 'HEAD', path: `manifests/${digest}`, headers: { accept: accepted }, expect: [404] });
  await answer.discard();
  return answer.status < 300;
}

/** Puts a manifest under its digest or a tag. Returns the subject that the registry keeps track of, where it says so. */
export async function putManifest(repository: Repository, reference: string, { mediaType, digest }: Descriptor, bytes: Uint8Array, signal?: AbortSignal): Promise<string | undefined> {
  const answer = await repository.write({ method: 'PUT', path: `manifests/${reference}`, headers: { 'content-type': mediaType }, body: bytes, signal });
  await answer.discard();
  const stored = answer.header('docker-content-digest');
  if (stored !== undefined && stored !== digest && isDigest(stored) && hashAlgorithm(stored) === hashAlgorithm(digest)) {
    throw new OciTarError('DIGEST_MISMATCH', `${repository.registry} keeps manifest ${digest} as ${stored}`, { side: 'target', expected: digest, actual: stored });
  }
  return answer.header('oci-subject');
}

/** Removes a tag or a manifest. NOT_FOUND; UNSUPPORTED where the registry removes nothing, or no tag alone. */
export async function deleteManifest(repository: Repository, reference: string): Promise<void> {
  try {
    await (await repository.write({ method: 'DELETE', path: `manifests/${reference}` })).discard();
  } catch (error) {
    if (!isOciTarError(error)) throw error;
    const { actual } = error.details;
    if (actual === 405) throw new OciTarError('UNSUPPORTED', `${repository.registry} removes no images`, { ...error.details, cause: error, hint: 'It has to be told to allow that.' });
    // distribution takes digests only; then every tag of the image goes with it, which nobody asked for.
    if (actual !== 400 || isDigest(reference)) throw error;
    const { digest } = await resolveManifest(repository, reference, {});
    throw new OciTarError('UNSUPPORTED', `${repository.registry} removes images by their digest only, with all their tags`, { ...error.details, cause: error, hint: `If that is meant: oci-tar rm docker://${repository.name}@${digest}` });
  }
}

function typeOf(answer: HttpAnswer): string {
  const type = answer.header('content-type')?.split(';', 1)[0]?.trim() ?? '';
  if (type === '') throw missingHeader(answer, 'Content-Type');
  if (isIndexType(type) || isManifestType(type)) return type;
  throw new OciTarError('INVALID_MANIFEST', `${answer.url.host} calls what it sent ${JSON.stringify(type.slice(0, 100))}, which is no manifest`, { side: 'source', actual: type.slice(0, 100) });
}
