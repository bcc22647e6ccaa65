import { verified } from '../../bytes/digest.ts';
import { collect } from '../../bytes/source.ts';
import { counted } from '../../bytes/stream.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { hasBlob } from './blobs.ts';
import { locationOf } from './client.ts';
import { defaultRetries } from './options.ts';
import type { RegistryOptions } from './options.ts';
import type { Repository } from './repository.ts';
import { missingHeader } from './transport.ts';
import type { HttpAnswer } from './transport.ts';

/** Up to here a blob is sent in one request, from memory; beyond it in a stream that can be taken up again. */
const smallBlob = 1024 * 1024;

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((count: number) => void) | undefined;
  /** A repository of the same registry that may have the blob already. */
  readonly from?: string | undefined;
}

/**
 * Sends a blob to a repository, verified on its way, or has the registry take it from another repository. What was cut is taken up
 * where the registry says that it ended, or sent anew where it knows nothing of it any more. `read` is called for each attempt.
 */
export async function uploadBlob(repository: Repository, { digest, size }: Descriptor, read: () => ByteStream, upload: UploadOptions, options: RegistryOptions): Promise<void> {
  const { from, signal } = upload;
  const began = await begun(repository, signal, from === undefined ? undefined : { digest, from });
  if (began.status === 201 && from !== undefined) {
    upload.onBytes?.(size);
    return;
  }
  const place: Place = { location: locationIn(began) };
  try {
    if (size <= smallBlob) {
      const bytes = await collect(verified(read(), { digest, size }), smallBlob, digest);
      await finish(repository, place, { digest, size }, bytes, signal);
      upload.onBytes?.(size);
    } else {
      await send(repository, place, { digest, size }, read, upload, options);
      await finish(repository, place, { digest, size }, undefined, signal);
    }
  } catch (error) {
    // So that the registry need not keep a part that nobody will complete. It would expire anyway.
    await repository.write({ method: 'DELETE', path: place.location, retries: 0 }).then((answer) => answer.discard(), () => {});
    throw error;
  }
}

/** Where an upload goes on. */
interface Place {
  location: URL;
}

/** Begins an upload, or has a blob mounted. */
async function begun(repository: Repository, signal: AbortSignal | undefined, mount?: { readonly digest: string; readonly from: string }): Promise<HttpAnswer> {
  const query = mount === undefined ? '' : `?mount=${encodeURIComponent(mount.digest)}&from=${encodeURIComponent(mount.from)}`;
  const answer = await repository.write({ method: 'POST', path: `blobs/uploads/${query}`, headers: { 'content-length': '0' }, signal, ...(mount === undefined ? {} : { from: mount.from }) });
  await answer.discard();
  return answer;
}

/** All bytes in one PATCH; after a cut the rest of them in another. */
async function send(repository: Repository, place: Place, blob: Pick<Descriptor, 'digest' | 'size'>, read: () => ByteStream, upload: UploadOptions, options: RegistryOptions): Promise<void> {
  const { signal } = upload;
  const { size } = blob;
  let start = 0;
  let told = 0;
  const progress = (at: number) => {
    if (at <= told) return;
    upload.onBytes?.(at - told);
    told = at;
  };
  for (let attempt = 0; ; attempt++) {
    let at = 0;
    const body = () => from(counted(verified(read(), blob), (count) => progress((at += count))), start);
    const range = start === 0 ? {} : { 'content-range': `${start}-${size - 1}` };
    try {
      const answer = await repository.write({ method: 'PATCH', path: place.location, headers: { 'content-type': 'application/octet-stream', 'content-length': String(size - start), ...range }, body, retries: 0, signal });
      await answer.discard();
      place.location = locationIn(answer);
      return;
    } catch (error) {
      if (!mayPass(error) || attempt >= (options.retries ?? defaultRetries)) throw error;
      const status = await repository.write({ method: 'GET', path: place.location, expect: [400, 404], signal });
      await status.discard();
      // distribution 2 does not know an upload any more whose end is not where its last answer said; it purges that after a week.
      const known = status.status < 300;
      place.location = known ? locationIn(status, place.location) : locationIn(await begun(repository, signal));
      start = known ? received(status, size) : 0;
    }
  }
}

async function finish(repository: Repository, place: Place, blob: Pick<Descriptor, 'digest' | 'size'>, bytes: Uint8Array | undefined, signal: AbortSignal | undefined, isLast = false): Promise<void> {
  const url = new URL(place.location);
  url.searchParams.set('digest', blob.digest);
  const headers = { 'content-length': String(bytes?.byteLength ?? 0), ...(bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }) };
  try {
    const answer = await repository.write({ method: 'PUT', path: url, headers, ...(bytes === undefined ? {} : { body: bytes }), signal });
    await answer.discard();
  } catch (error) {
    // A registry that took it, and whose answer was cut off, does not know the upload any more when it is told again.
    const isUnknown = isOciTarError(error, 'NOT_FOUND');
    if ((isUnknown || mayPass(error)) && (await hasBlob(repository, blob).catch(() => false))) return;
    if (!isUnknown || bytes === undefined || isLast) throw error;
    // Cut while it was sent, it is not known there any more.
    place.location = locationIn(await begun(repository, signal));
    await finish(repository, place, blob, bytes, signal, true);
  }
}

/** The stream without its first bytes, which are read all the same: their digest is part of the whole. */
async function* from(stream: ByteStream, start: number): ByteStream {
  let skip = start;
  for await (const run of stream) {
    const rest = skip === 0 ? run : run.subarray(Math.min(skip, run.byteLength));
    skip -= run.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

function mayPass(error: unknown): boolean {
  if (!isOciTarError(error) || (error.code !== 'REGISTRY' && error.code !== 'TIMEOUT')) return false;
  const { actual } = error.details;
  return typeof actual !== 'number' || actual === 408 || actual === 416 || actual === 429 || actual >= 500;
}

/** `Range: 0-99` after 100 bytes (distribution-spec, "Pushing a blob in chunks"). */
function received(answer: HttpAnswer, size: number): number {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.header('range') ?? '') ?? [];
  if (last === undefined) return 0;
  // Where there is nothing yet, distribution says 0-0.
  const count = Number(last) === 0 ? 0 : Number(last) + 1;
  if (count <= size) return count;
  throw new OciTarError('REGISTRY', `${answer.url.host} says that it has ${count} of ${size} bytes`, { side: 'target', subject: answer.url.host });
}

function locationIn(answer: HttpAnswer, otherwise?: URL): URL {
  const location = answer.header('location');
  if (location !== undefined) return locationOf(location, answer.url);
  if (otherwise !== undefined) return otherwise;
  throw missingHeader(answer, 'Location');
}
