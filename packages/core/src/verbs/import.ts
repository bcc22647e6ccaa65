import { abortable } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import { decompressed } from '../compression/codecs.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import { checkConfigs } from '../image/check.ts';
import { makePlan } from '../image/make-plan.ts';
import { openBlob } from '../image/read.ts';
import { beginOn, pushAll, transfer } from '../image/push.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { imageOf } from '../layout/find.ts';
import { importedName } from '../layout/names.ts';
import { receiveArchive } from '../layout/receive.ts';
import type { Received } from '../layout/receive.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { normalizeName } from '../spec/reference.ts';
import { reportOf } from './options.ts';
import type { MoveOptions, MoveReport } from './options.ts';

export interface ImportRequest extends MoveOptions {
  readonly target: ImageStore;
  /** A new name for the one image in the archive. */
  readonly name?: string;
  /**
   * Completes names that are only a tag (`base:tag`), and leaves out images with a full name that does not begin with it.
   * Without it a bare tag gets `import-YYYY-MM-DD`, as with ctr.
   */
  readonly baseName?: string;
}

/**
 * Takes the images of an archive at rest (see `openArchive`) into a store. Nothing is unpacked beside it; every blob is
 * verified before it is visible, and names become visible when everything is there.
 */
export async function importImages(source: ImageStore, request: ImportRequest): Promise<MoveReport> {
  const found: NamedImage[] = [];
  for await (const image of source.images()) found.push(image);
  const plan = await makePlan(source, renamed(found, source.name, request), request);
  await checkConfigs(plan, request.limits);
  await transfer(plan, request.target, request);
  return reportOf(plan);
}

/**
 * Takes the images of an archive from a pipe into a store, compressed or not. Each byte is written to disk once: a blob waits
 * in the target's staging until it is known that it is wanted.
 */
export async function importStream(archive: ByteStream, request: ImportRequest): Promise<MoveReport> {
  // The first bytes are asked for before anything else: a child process whose output is not read in time may lose it.
  // Abortable as a whole, since a pipe may fall silent anywhere, also where nothing is staged.
  const { bytes, close } = await decompressed(abortable(archive, request.signal));
  try {
    const session = await beginOn(request.target, undefined, request.signal);
    try {
      const { name: _newName, ...options } = request;
      const received = await receiveArchive(bytes, session, options);
      const source = receivedStore(received, request.target);
      const plan = await makePlan(source, renamed(received.index.manifests.map(imageOf), source.name, request), request);
      await checkConfigs(plan, request.limits);
      await pushAll(session, plan, request);
      await session.end();
      return reportOf(plan);
    } catch (error) {
      await session.abort(error);
      throw error;
    }
  } finally {
    await close();
  }
}

/** What came out of a pipe, as a place to copy from; what the target had already was passed over and is read there. */
function receivedStore({ index, staged, unverifiable }: Received, target: ImageStore): ImageStore {
  const images = index.manifests.map(imageOf);
  return {
    name: 'archive',
    async *images() {
      yield* images;
    },
    resolve: async (reference) => {
      throw new OciTarError('NOT_FOUND', `archive has no image ${reference}`, { subject: reference });
    },
    async open(blob) {
      if (unverifiable.has(blob.digest)) {
        throw new OciTarError('UNSUPPORTED', `${blob.digest} is of an algorithm that cannot be checked here`, { side: 'source', subject: blob.digest });
      }
      const waiting = staged.get(blob.digest)?.source();
      if (waiting === undefined) return openBlob(target, blob);
      if (waiting.size === blob.size) return waiting;
      throw new OciTarError('SIZE_MISMATCH', `blob ${blob.digest} has ${waiting.size} bytes, expected ${blob.size}`, {
        expected: blob.size,
        actual: waiting.size,
        subject: blob.digest,
        side: 'source',
      });
    },
    close: async () => {},
  };
}

/** The archive's images under the names that they get in the target. */
function renamed(images: readonly NamedImage[], where: string, { name, baseName }: ImportRequest): readonly NamedImage[] {
  if (images.length === 0) throw new OciTarError('NOT_FOUND', `${where} holds no image`, { side: 'source', subject: where });
  if (name !== undefined) {
    const [first] = images;
    const digests = new Set(images.map((image) => image.descriptor.digest));
    if (first === undefined || digests.size > 1) {
      throw new OciTarError('CONFLICT', `${where} holds ${digests.size} images; a new name can be given to one only`, {
        side: 'source',
        subject: where,
        hint: 'Import them under their own names, or give --base-name.',
      });
    }
    return [{ name: normalizeName(name), descriptor: first.descriptor }];
  }
  const base = baseName ?? `import-${new Date().toISOString().slice(0, 10)}`;
  const kept = images.flatMap(({ name: raw, descriptor }) => {
    const full = importedName(raw, base);
    return full === undefined || !belongs(full, baseName) ? [] : [{ name: full, descriptor }];
  });
  checkDistinct(kept, where);
  if (kept.length > 0) return kept;
  const names = images.flatMap((image) => image.name ?? []);
  throw new OciTarError('NOT_FOUND', baseName === undefined || names.length === 0 ? `the images in ${where} have no names` : `no image in ${where} belongs to ${baseName}`, {
    side: 'source',
    subject: where,
    hint: names.length === 0 ? 'Give one: oci-tar import in.tar NEW-NAME' : `It holds ${names.slice(0, 5).join(', ')}.`,
  });
}

/** One name can hold one image: the other one would be lost without a word. */
function checkDistinct(images: readonly { readonly name: string; readonly descriptor: Descriptor }[], where: string): void {
  const digests = new Map<string, Digest>();
  for (const { name, descriptor } of images) {
    const other = digests.get(name) ?? descriptor.digest;
    if (other !== descriptor.digest) {
      throw new OciTarError('CONFLICT', `${where} holds different images under the name ${name}: ${other} and ${descriptor.digest}`, {
        side: 'source',
        subject: name,
        hint: 'Take each by its digest: oci-tar copy oci-archive:FILE:DIGEST store:NAME',
      });
    }
    digests.set(name, other);
  }
}

/** Whether a full name begins with the base, at a border between its parts. */
function belongs(full: string, baseName: string | undefined): boolean {
  if (baseName === undefined) return true;
  const base = completedBase(baseName);
  return full === base || (full.startsWith(base) && /[/:@]/.test(full.charAt(base.length)));
}

function completedBase(baseName: string): string {
  try {
    return normalizeName(baseName).replace(/:latest$/, '');
  } catch (error) {
    if (isOciTarError(error, 'INVALID_REFERENCE')) return baseName;
    throw error;
  }
}
