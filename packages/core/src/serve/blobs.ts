import { OciTarError, isOciTarError } from '../errors.ts';
import type { ByteSource } from '../bytes/types.ts';
import { openBlob, readBlob } from '../image/read.ts';
import type { ImageStore } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { isComputable } from '../spec/digest.ts';
import { bytesResponse, emptyResponse, etagOf, listsEtag } from './message.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import { parseRange } from './range.ts';
import { Refusal } from './refusal.ts';
import type { Soundness } from './soundness.ts';

/** A blob of this size is read and verified before anything is answered, so that a damaged one is an error and not a cut connection. */
const smallBlob = 1024 * 1024;

interface Opened {
  readonly store: ImageStore;
  readonly source: ByteSource;
}

/**
 * Hands out a blob, or a part of it (distribution-spec, "Pulling blobs"), from the first of these places that has it sound.
 * Throws `Refusal`: 404, 416; 500 where it is damaged.
 */
export async function pullBlob(request: ServeRequest, descriptor: Descriptor, stores: readonly ImageStore[], soundness: Soundness): Promise<ServeResponse> {
  const { digest, size } = descriptor;
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest, etag: etagOf(digest), 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff', 'cache-control': 'max-age=31536000, immutable' };
  const opened = await openSound(request.method, descriptor, stores, soundness);
  const { 'if-none-match': known, range: wanted, 'if-range': validator } = request.headers;
  if (known !== undefined && listsEtag(known, digest)) return { status: 304, headers: { etag: etagOf(digest), 'docker-content-digest': digest } };
  const range = validator === undefined || validator.trim() === etagOf(digest) ? parseRange(wanted, size) : undefined;
  if (range === 'unsatisfiable') throw new Refusal(416, 'RANGE_INVALID', `the blob has ${size} bytes`, { 'content-range': `bytes */${size}` });
  if (request.method === 'HEAD') return { status: 200, headers: { ...headers, 'content-length': String(size) } };
  if (range === undefined) return wholeBlob(descriptor, opened, headers, soundness);
  const { store, source } = opened;
  if (!(await soundness.check(store, descriptor, source))) throw damaged(digest);
  const { start, end } = range;
  const part = { 'content-range': `bytes ${start}-${end - 1}/${size}`, 'content-length': String(end - start) };
  return { status: 206, headers: { ...headers, ...part }, body: source.read(start, end) };
}

async function wholeBlob(descriptor: Descriptor, { store, source }: Opened, headers: Readonly<Record<string, string>>, soundness: Soundness): Promise<ServeResponse> {
  const { digest, size } = descriptor;
  if (size <= smallBlob) {
    if (!(await soundness.check(store, descriptor, source))) throw damaged(digest);
    return size === 0 ? emptyResponse(200, headers) : bytesResponse(200, headers, await readBlob(store, descriptor, smallBlob));
  }
  const body = soundness.isSound(store, digest) ? source.read() : soundness.passing(store, descriptor, source);
  return { status: 200, headers: { ...headers, 'content-length': String(size) }, body };
}

/** The first place that has the blob in its right size and is not known to have it damaged. */
async function openSound(method: string, descriptor: Descriptor, stores: readonly ImageStore[], soundness: Soundness): Promise<Opened> {
  const { digest } = descriptor;
  if (!isComputable(digest)) throw new Refusal(404, 'BLOB_UNKNOWN', 'its digest is of an algorithm that cannot be checked here');
  let isDamaged = false;
  for (const store of stores) {
    try {
      const source = await openBlob(store, descriptor);
      if (source.size !== descriptor.size) throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has another size`, { subject: digest });
      // Once it has been found damaged it is read before anything is answered, which tells whether somebody has repaired it.
      const doubtful = soundness.isDamaged(store, digest) || (soundness.wasDamaged(store, digest) && !(await soundness.check(store, descriptor, source)));
      if (!doubtful) return { store, source };
      isDamaged = true;
    } catch (error) {
      if (isOciTarError(error, 'SIZE_MISMATCH')) isDamaged = true;
      else if (!isOciTarError(error, 'NOT_FOUND')) throw error;
    }
  }
  // Who asks by HEAD is about to push it, which brings it back.
  throw isDamaged && method !== 'HEAD' ? damaged(digest) : new Refusal(404, 'BLOB_UNKNOWN', 'there is no such blob in this repository');
}

function damaged(digest: Digest): Refusal {
  return new Refusal(500, 'UNKNOWN', `blob ${digest} is damaged here and is not handed out`);
}
