import { abortable } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import { decompressed } from '../compression/codecs.ts';
import { entriesDriver } from '../drivers/entries.ts';
import { OciTarError } from '../errors.ts';
import { checkConfigs } from '../image/check.ts';
import { makePlan } from '../image/make-plan.ts';
import { openBlob } from '../image/read.ts';
import { beginOn, pushAll, transfer } from '../image/push.ts';
import type { ImageStore, WriteSession } from '../image/store.ts';
import { withGzipLayers } from '../layout/docker/compress.ts';
import { imageOf } from '../layout/find.ts';
import { receiveArchive } from '../layout/receive.ts';
import type { Received, ReceivedFiles } from '../layout/receive.ts';
import { LayoutReferrers } from '../layout/referrers.ts';
import { readArchive } from '../stores/read-archive.ts';
import { checkNaming, importedImages } from './import-names.ts';
import type { ImportNaming, ImportSelection, SkippedImage } from './import-names.ts';
import { referrersLeft, reportOf } from './options.ts';
import type { MoveOptions, MoveReport } from './options.ts';

export interface ImportRequest extends MoveOptions, ImportNaming {
  readonly target: ImageStore;
  /** Compresses the plain layers of a docker archive with gzip on their way; the image ID stays. No other archive is changed. */
  readonly compressBlobs?: boolean;
  /** How messages call an archive that comes from a pipe; `archive` by default. */
  readonly from?: string;
  /** Told what takes time: the layers of a docker archive that have to be read before anything moves. */
  readonly onNote?: (note: string) => void;
}

/** What was taken out of an archive. */
export interface ImportReport extends MoveReport {
  /** What the archive lists and did not become an image. */
  readonly skipped: readonly SkippedImage[];
}

/**
 * Takes the images of an archive at rest (see `openArchive`) into a store. Nothing is unpacked beside it; every blob is
 * verified before it is visible, and names become visible when everything is there.
 */
export async function importImages(archive: ImageStore, request: ImportRequest): Promise<ImportReport> {
  const selection = await importedImages(archive, request);
  // Before there is a plan: what is compressed waits in the target's staging.
  if (compresses(archive, request)) return inSession(request, (session) => pushImages(session, archive, selection, request));
  const { source, images, skipped } = selection;
  const plan = await makePlan(source, images, request);
  await checkConfigs(plan, request.limits);
  const left = await referrersLeft(source, plan, request);
  await transfer(plan, request.target, request);
  return { ...reportOf(plan, left), skipped };
}

/**
 * Takes the images of an archive from a pipe into a store, compressed or not. Each byte is written to disk once: a blob waits
 * in the target's staging until it is known that it is wanted.
 */
export async function importStream(archive: ByteStream, request: ImportRequest): Promise<ImportReport> {
  checkNaming(request);
  // The first bytes are asked for before anything else: a child process whose output is not read in time may lose it.
  // Abortable as a whole, since a pipe may fall silent anywhere, also where nothing is staged.
  const { bytes, close } = await decompressed(abortable(archive, request.signal));
  try {
    return await inSession(request, async (session) => {
      const { name: _newName, from = 'archive', ...rest } = request;
      const others = { ...rest, name: from };
      // The archive's own index refers to all that it lists.
      const options = request.indexName === undefined ? others : { ...others, referrers: true };
      const received = await receiveArchive(bytes, session, options);
      const source = 'files' in received ? await stagedArchive(received.files, request) : receivedStore(received, request.target, from);
      return pushImages(session, source, await importedImages(source, request), request);
    });
  } finally {
    await close();
  }
}

async function inSession(request: ImportRequest, work: (session: WriteSession) => Promise<ImportReport>): Promise<ImportReport> {
  const session = await beginOn(request.target, undefined, request.signal);
  try {
    const report = await work(session);
    await session.end();
    return report;
  } catch (error) {
    await session.abort(error);
    throw error;
  }
}

async function pushImages(session: WriteSession, from: ImageStore, selection: ImportSelection, request: ImportRequest): Promise<ImportReport> {
  const { source, images } = compresses(from, request) ? await withGzipLayers(selection.source, selection.images, session, request) : selection;
  const plan = await makePlan(source, images, request);
  await checkConfigs(plan, request.limits);
  const left = await referrersLeft(source, plan, request);
  await pushAll(session, plan, request);
  return { ...reportOf(plan, left), skipped: selection.skipped };
}

function compresses(source: ImageStore, { compressBlobs }: ImportRequest): boolean {
  return compressBlobs === true && source.format === 'docker-archive';
}

/** The images in the files of an archive that wait in staging. */
function stagedArchive(files: ReceivedFiles['files'], request: ImportRequest): Promise<ImageStore> {
  const driver = entriesDriver(files, { name: request.from ?? 'archive', source: (file) => file.source() });
  return readArchive(driver, { ...request, digestOf: (path) => files.find(path).digest });
}

/** What came out of a pipe, as a place to copy from; what the target had already was passed over and is read there. What did not come is missing, as in a file. */
function receivedStore({ index, indexBytes, staged, present, unverifiable }: Received, target: ImageStore, name: string): ImageStore {
  const images = index.manifests.map(imageOf);
  const store: ImageStore = {
    name,
    referrers: (subject, options) => referrers.of(subject, options),
    index: async () => indexBytes,
    async *images() {
      yield* images;
    },
    resolve: async (reference) => {
      throw new OciTarError('NOT_FOUND', `${name} has no image ${reference}`, { subject: reference });
    },
    async open(blob) {
      if (unverifiable.has(blob.digest)) {
        throw new OciTarError('UNSUPPORTED', `${blob.digest} is of an algorithm that cannot be checked here`, { side: 'source', subject: blob.digest });
      }
      const waiting = staged.get(blob.digest)?.source();
      if (waiting === undefined && present.has(blob.digest)) return openBlob(target, blob);
      if (waiting === undefined) throw new OciTarError('NOT_FOUND', `${name} has no blob ${blob.digest}`, { side: 'source', subject: blob.digest });
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
  const referrers = new LayoutReferrers(store, async () => index.manifests);
  return store;
}
