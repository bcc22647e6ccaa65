import { readSource, sliceSource } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { ImageDriver } from '../layout/driver.ts';
import { entryPath } from '../layout/entry-path.ts';
import { digestOfBlobPath } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import { seekTar } from '../tar/seek.ts';
import { layoutPathParts } from './path.ts';

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
 * Reads an image layout out of a tar archive at rest, unpacked nowhere: its headers are found by seeking, once.
 * INVALID_TAR when the archive is damaged or cut off, INVALID_LAYOUT when two entries of one name disagree.
 */
export async function tarReader(archive: ByteSource, options: TarReaderOptions = {}): Promise<ImageDriver> {
  const { name = 'tar' } = options;
  const places = await findFiles(archive, name, options.signal);
  let closing: Promise<void> | undefined;
  return {
    name,
    access: 'read',
    init: async () => {
      throw readOnly(name);
    },
    async *list(prefix = '') {
      for (const [path, { size }] of places) if (path.startsWith(prefix)) yield { path, size };
    },
    async reader(path) {
      layoutPathParts(path);
      const place = places.get(path);
      if (place === undefined) throw new OciTarError('NOT_FOUND', `${name} has no ${path}`, { subject: path });
      return sliceSource(archive, place.offset, place.offset + place.size);
    },
    writer: async () => {
      throw readOnly(name);
    },
    blobWriter: async () => {
      throw readOnly(name);
    },
    remove: async () => {
      throw new OciTarError('UNSUPPORTED', `nothing can be removed from ${name}: a tar archive does not change`, { subject: name });
    },
    exclusive: (work) => work(),
    close: () => (closing ??= options.onClose?.() ?? Promise.resolve()),
    abort: () => (closing ??= options.onClose?.() ?? Promise.resolve()),
  };
}

async function findFiles(archive: ByteSource, name: string, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  for await (const entry of seekTar(archive, signal === undefined ? {} : { signal })) {
    if (entry.type !== 'file') continue;
    const path = entryPath(entry.path);
    const place = { offset: entry.dataOffset, size: entry.size };
    const earlier = places.get(path);
    if (earlier === undefined) places.set(path, place);
    else if (!(await agree(archive, path, earlier, place))) {
      throw new OciTarError('INVALID_LAYOUT', `${name} has two different entries called ${path}`, { subject: name, offset: entry.offset });
    }
  }
  return places;
}

/** Two blobs of one name and size are the same or one of them will fail its digest; other files are small enough to compare. */
async function agree(archive: ByteSource, path: string, a: Place, b: Place): Promise<boolean> {
  if (a.size !== b.size) return false;
  if (digestOfBlobPath(path) !== undefined) return true;
  if (a.size > defaultLimits.bytes) return false;
  const [one, other] = await Promise.all([a, b].map(({ offset, size }) => readSource(sliceSource(archive, offset, offset + size), size, path)));
  return one !== undefined && other !== undefined && one.every((byte, position) => byte === other[position]);
}

function readOnly(name: string): OciTarError {
  return new OciTarError('READ_ONLY', `${name} is opened for reading`, { subject: name });
}
