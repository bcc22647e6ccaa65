import { digestStream } from '../bytes/digest.ts';
import { readSource, sliceSource } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import { ArchiveEntries } from '../layout/archive-entries.ts';
import type { ImageDriver } from '../layout/driver.ts';
import { entryPath } from '../layout/entry-path.ts';
import { digestOfBlobPath } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import { seekTar } from '../tar/seek.ts';
import { entriesDriver } from './entries.ts';

export interface TarReaderOptions {
  /** For messages; `tar` by default. */
  readonly name?: string;
  readonly signal?: AbortSignal;
  /** Called once by `close`. */
  readonly onClose?: () => Promise<void>;
}

interface Place {
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads an image layout out of a tar archive at rest, unpacked nowhere: its headers are found by seeking, once. Links are
 * followed inside the archive, and a folder that everything lies in is passed over.
 * INVALID_TAR when the archive is damaged or cut off, INVALID_LAYOUT when two entries of one name disagree.
 */
export async function tarReader(archive: ByteSource, options: TarReaderOptions = {}): Promise<ImageDriver> {
  const { name = 'tar', onClose } = options;
  return entriesDriver(await findEntries(archive, name, options.signal), {
    name,
    source: ({ offset, size }) => sliceSource(archive, offset, offset + size),
    ...(onClose === undefined ? {} : { onClose }),
  });
}

async function findEntries(archive: ByteSource, name: string, signal: AbortSignal | undefined): Promise<ArchiveEntries<Place>> {
  const entries = new ArchiveEntries<Place>(name);
  for await (const entry of seekTar(archive, signal === undefined ? {} : { signal })) {
    if (entry.type !== 'file') {
      entries.addOther(entry.path, entry.type, entry.linkname);
      continue;
    }
    const path = entryPath(entry.path);
    const place = { offset: entry.dataOffset, size: entry.size };
    const earlier = entries.addFile(path, place);
    if (earlier === undefined || (await agree(archive, path, earlier, place))) continue;
    throw new OciTarError('INVALID_LAYOUT', `${name} has two different entries called ${path}`, { subject: name, offset: entry.offset });
  }
  return entries;
}

/** Two blobs of one name and size are the same or one of them will fail its digest; other files are compared. */
async function agree(archive: ByteSource, path: string, a: Place, b: Place): Promise<boolean> {
  if (a.size !== b.size) return false;
  if (digestOfBlobPath(path) !== undefined) return true;
  if (a.size > defaultLimits.bytes) return sameDigest(archive, a, b);
  const [one, other] = await Promise.all([a, b].map(({ offset, size }) => readSource(sliceSource(archive, offset, offset + size), size, path)));
  return one !== undefined && other !== undefined && one.every((byte, position) => byte === other[position]);
}

async function sameDigest(archive: ByteSource, ...places: readonly Place[]): Promise<boolean> {
  const digests = new Set<Digest>();
  for (const { offset, size } of places) digests.add((await digestStream(archive.read(offset, offset + size))).digest);
  return digests.size === 1;
}
