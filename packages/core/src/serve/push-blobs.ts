import { OciTarError, isOciTarError } from '../errors.ts';
import { verified } from '../bytes/digest.ts';
import type { ByteStream } from '../bytes/types.ts';
import { openBlob } from '../image/read.ts';
import type { ImageStore, StagedBlob, WriteSession } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import type { Holds } from './holds.ts';
import { emptyResponse } from './message.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import { parseChunkRange } from './range.ts';
import { Refusal } from './refusal.ts';
import { digestOf } from './route.ts';
import type { Soundness } from './soundness.ts';
import type { Upload, Uploads } from './uploads.ts';

/** A blob that a mount can take, and where it is. */
export interface Mountable {
  readonly store: ImageStore;
  readonly descriptor: Descriptor;
}

/** Where a request pushes to. */
export interface PushTarget {
  /** As it is spelled in the request, for addresses. */
  readonly name: string;
  readonly key: string;
}

interface Parts {
  readonly store: ImageStore;
  readonly uploads: Uploads;
  readonly holds: Holds;
  readonly soundness: Soundness;
  /** Finds a blob of another repository, or of any where `from` is not said. */
  readonly find: (digest: Digest, from: string | undefined) => Promise<Mountable | undefined>;
}

async function* nothing(): ByteStream {}

/** Takes blobs (distribution-spec, "Pushing blobs"): in one request, in two, in chunks, or by mounting. Throws `Refusal`. */
export class BlobPushes {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** POST: a whole blob, a mount, or the beginning of an upload. */
  async begin(request: ServeRequest, to: PushTarget, query: ReadonlyMap<string, string>): Promise<ServeResponse> {
    const { uploads } = this.#parts;
    const [digest, mount] = [query.get('digest'), query.get('mount')];
    if (mount !== undefined) {
      const mounted = await this.#mount(to, digestOf(mount), query.get('from'));
      // What cannot be mounted is uploaded: that is no failure.
      if (mounted !== undefined) return mounted;
    }
    if (digest !== undefined && mount === undefined) {
      const expected = digestOf(digest);
      checkAlgorithm(expected);
      const upload = await uploads.begin(to.key, { digest: expected });
      return this.#complete(request, to, upload, expected).catch(async (error: unknown) => {
        // Its address has been told to nobody, who could continue it.
        await uploads.drop(upload, error);
        throw error;
      });
    }
    return this.#status(202, to, await uploads.begin(to.key));
  }

  /** GET: how much has come. */
  status(to: PushTarget, id: string): ServeResponse {
    return this.#status(204, to, this.#parts.uploads.get(to.key, id));
  }

  /** PATCH: the next chunk, or all in one stream. */
  async chunk(request: ServeRequest, to: PushTarget, id: string): Promise<ServeResponse> {
    const { uploads } = this.#parts;
    const upload = uploads.get(to.key, id);
    return uploads.use(upload, async () => {
      await this.#take(request, to, upload);
      return this.#status(202, to, upload);
    });
  }

  /** PUT: perhaps a last chunk, and then the digest of it all. */
  async finish(request: ServeRequest, to: PushTarget, id: string, query: ReadonlyMap<string, string>): Promise<ServeResponse> {
    const upload = this.#parts.uploads.get(to.key, id);
    const digest = query.get('digest');
    if (digest === undefined) throw new Refusal(400, 'DIGEST_INVALID', 'the digest of the blob is missing');
    const expected = digestOf(digest);
    checkAlgorithm(expected);
    return this.#complete(request, to, upload, expected);
  }

  /** DELETE: it is given up. */
  async cancel(to: PushTarget, id: string): Promise<ServeResponse> {
    const { uploads } = this.#parts;
    await uploads.drop(uploads.get(to.key, id));
    return emptyResponse(204);
  }

  async #take(request: ServeRequest, to: PushTarget, upload: Upload): Promise<void> {
    const header = request.headers['content-range'];
    const range = header === undefined ? undefined : parseChunkRange(header);
    if (header !== undefined && (range === undefined || range.start !== upload.received)) {
      const { headers } = this.#status(416, to, upload);
      throw new Refusal(416, 'BLOB_UPLOAD_INVALID', `the next chunk begins at byte ${upload.received}`, { location: headers['location'] ?? '', range: headers['range'] ?? '' });
    }
    const length = request.headers['content-length'];
    if (range !== undefined && length !== undefined && Number(length) !== range.end - range.start) {
      throw new Refusal(400, 'SIZE_INVALID', 'Content-Range and Content-Length differ');
    }
    const before = upload.received;
    try {
      upload.expect(Number(length ?? 0));
      await upload.take(request.body ?? nothing());
    } catch (error) {
      // What the client sent before it went away can be continued; what the store cannot take cannot.
      if (error instanceof Refusal || isOciTarError(error)) await this.#parts.uploads.drop(upload, error);
      throw error;
    }
    if (range !== undefined && upload.received - before !== range.end - range.start) {
      const short = new Refusal(400, 'SIZE_INVALID', 'the chunk is not as long as its Content-Range says');
      await this.#parts.uploads.drop(upload, short);
      throw short;
    }
  }

  async #complete(request: ServeRequest, to: PushTarget, upload: Upload, digest: Digest): Promise<ServeResponse> {
    const { uploads, holds } = this.#parts;
    return uploads.use(upload, async () => {
      await this.#take(request, to, upload);
      uploads.release(upload);
      try {
        const staged = await upload.finish();
        const descriptor = { mediaType: 'application/octet-stream', digest, size: staged.size };
        await this.#commit(upload.session, staged, descriptor);
        await holds.add(to.key, descriptor, upload.session);
        return created(to, digest);
      } catch (error) {
        await upload.abort(error);
        throw isOciTarError(error, 'DIGEST_MISMATCH') ? new Refusal(400, 'DIGEST_INVALID', `what was sent is not ${digest}`) : error;
      }
    });
  }

  /** Makes a staged blob visible under its digest: by renaming it, or, for a digest that it was not staged for, by reading it once more. */
  async #commit(session: WriteSession, staged: StagedBlob, descriptor: Descriptor): Promise<void> {
    const { store, soundness } = this.#parts;
    const { digest } = descriptor;
    if (staged.digest !== digest && hashAlgorithm(staged.digest) === hashAlgorithm(digest)) throw new OciTarError('DIGEST_MISMATCH', 'another digest', { expected: digest, actual: staged.digest });
    // A write relies on what has the right name and size: a damaged one has to go before.
    if (soundness.wasDamaged(store, digest)) await store.discardDamaged?.({ digest });
    await session.push({ descriptor, role: 'other', height: 0, origins: [], read: () => staged.source().read() });
    soundness.forget(store, digest);
  }

  async #mount(to: PushTarget, digest: Digest, from: string | undefined): Promise<ServeResponse | undefined> {
    const { store, holds, find, soundness } = this.#parts;
    const found = await find(digest, from);
    if (found === undefined || soundness.wasDamaged(found.store, digest) || store.begin === undefined) return undefined;
    const session = await store.begin();
    try {
      const { descriptor } = found;
      if (found.store === store) {
        if (!(await session.has(descriptor))) throw new OciTarError('NOT_FOUND', 'the blob has been removed');
      } else {
        const source = await openBlob(found.store, descriptor);
        await session.push({ descriptor, role: 'other', height: 0, origins: [], read: () => verified(source.read(), descriptor) });
      }
      await holds.add(to.key, { mediaType: 'application/octet-stream', digest, size: descriptor.size }, session);
      return created(to, digest);
    } catch (error) {
      await session.abort(error);
      if (isOciTarError(error, 'NOT_FOUND') || isOciTarError(error, 'DIGEST_MISMATCH') || isOciTarError(error, 'SIZE_MISMATCH')) return undefined;
      throw error;
    }
  }

  #status(status: number, { name }: PushTarget, { id, received }: Upload): ServeResponse {
    // With nothing yet docker's registry says 0-0, and clients know.
    const range = `0-${Math.max(received - 1, 0)}`;
    return emptyResponse(status, { location: `/v2/${name}/blobs/uploads/${id}`, range, 'docker-upload-uuid': id });
  }
}

function checkAlgorithm(digest: Digest): void {
  if (hashAlgorithm(digest) === undefined) throw new Refusal(400, 'DIGEST_INVALID', 'its algorithm cannot be computed here');
}

function created({ name }: PushTarget, digest: Digest): ServeResponse {
  return emptyResponse(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
}
