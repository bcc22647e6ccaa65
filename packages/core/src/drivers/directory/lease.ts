import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { OciTarError } from '../../errors.ts';
import type { BlobLease, LeasedBlob } from '../../layout/driver.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { isDigest } from '../../spec/digest.ts';
import { isConfigType } from '../../spec/media-type.ts';
import { assertStaged, stagingFailure } from './swept.ts';

/** Files in a staging folder that end like this are leases. */
export const leaseEnding = '.lease';

/** More than a million blobs; what is larger was not written by us. */
const maxSize = 256 * 1024 * 1024;

/** So many lines are written at a time; 100,000 in one text would take 20 MB. */
const atOnce = 4096;

/**
 * A lease as a file in the writer's staging folder: a line for each blob. It counts as long as the file is there.
 * Nothing is synced: no writer, and so no lease, outlives a power failure.
 *
 * @param exclusive runs work under the lock of index.json
 */
export async function leaseFile(stem: string, exclusive: (work: () => Promise<void>) => Promise<void>): Promise<BlobLease> {
  const path = stem + leaseEnding;
  await append(path, [], constants.O_CREAT | constants.O_EXCL);
  return {
    // Under the lock, so that a prune has either ended, and what it removed is seen to be gone, or has yet to read this.
    add: (blobs) => exclusive(() => append(path, blobs)),
    confirm: () => assertStaged(path),
    release: () => unlink(path).catch(() => {}),
  };
}

/** Opened and closed each time: over NFS that is what makes others see it. Never made anew, once it has been swept. */
async function append(path: string, blobs: readonly LeasedBlob[], flags = 0): Promise<void> {
  try {
    const handle = await open(path, constants.O_WRONLY | constants.O_APPEND | flags, 0o644);
    try {
      for (let at = 0; at < blobs.length; at += atOnce) await handle.writeFile(blobs.slice(at, at + atOnce).map(lineOf).join(''));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw stagingFailure(error, path);
  }
}

/** The media type is told where the blob may refer to others, which configs and layers don't. */
function lineOf({ digest, size, mediaType }: LeasedBlob): string {
  return /^[\x21-\x7e]*json$/.test(mediaType) && !isConfigType(mediaType) ? `${digest} ${size} ${mediaType}\n` : `${digest}\n`;
}

/** What a lease file holds; nothing when it has been released meanwhile. A line that was cut off, or is none of ours, is passed over. */
export async function readLease(path: string): Promise<readonly LeasedBlob[]> {
  try {
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) return [];
      if (stats.size > maxSize) {
        throw new OciTarError('LIMIT_EXCEEDED', `${path} is longer than ${maxSize} bytes`, { subject: path, limit: maxSize, actual: stats.size });
      }
      return (await handle.readFile('utf8')).split('\n').slice(0, -1).flatMap(blobOf);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw mapErrno(error, path);
  }
}

function blobOf(line: string): readonly LeasedBlob[] {
  const [digest, size = '0', mediaType = ''] = line.split(' ');
  return isDigest(digest) && /^\d{1,16}$/.test(size) ? [{ digest, size: Number(size), mediaType }] : [];
}
