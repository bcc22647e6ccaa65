import { collect } from '../bytes/source.ts';
import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { PlatformChoice } from '../image/platform-choice.ts';
import type { StagedBlob, WriteSession } from '../image/store.ts';
import { digestOfBlobPath, isComputable } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { parseIndex } from '../spec/image-index.ts';
import type { ImageIndex } from '../spec/image-index.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { mediaTypes } from '../spec/media-type.ts';
import { entries } from '../tar/entries.ts';
import { entryPath } from './entry-path.ts';
import { indexPath, layoutPath, parseLayout } from './files.ts';
import { Wanted } from './wanted.ts';

export interface ReceiveOptions {
  readonly platforms?: PlatformChoice;
  readonly limits?: JsonLimits;
  /** How messages call the archive; `archive` by default. */
  readonly name?: string;
}

/** What came out of a pipe: the index, and the blobs that wait in the session's staging. */
export interface Received {
  readonly index: ImageIndex;
  readonly staged: ReadonlyMap<Digest, StagedBlob>;
}

/**
 * Reads an image archive (not compressed) from a pipe, once, front to back. Each blob that may be needed is staged in the
 * session under the digest that its name promises; what the session has already, or what nothing needs, is passed over.
 * INVALID_LAYOUT when it is no OCI image layout; errors of the tar; DIGEST_MISMATCH.
 */
export async function receiveArchive(archive: ByteStream, session: WriteSession, options: ReceiveOptions = {}): Promise<Received> {
  const { limits = defaultLimits, name = 'archive' } = options;
  if (session.stage === undefined) {
    throw new OciTarError('UNSUPPORTED', 'the target cannot take an archive from a pipe', { side: 'target', hint: 'Give it the archive as a file.' });
  }
  const wanted = new Wanted(options.platforms, limits);
  const staged = new Map<Digest, StagedBlob>();
  let index: ImageIndex | undefined;
  /** oci-layout and index.json; an archive may have them twice when both are the same. */
  const files = new Map<string, Uint8Array>();

  for await (const entry of entries(archive)) {
    if (entry.type !== 'file') continue;
    const path = entryPath(entry.path);
    if (path === layoutPath || path === indexPath) {
      const bytes = await collect(entry.data, limits.bytes, `${name}: ${path}`);
      const earlier = files.get(path);
      if (earlier !== undefined) {
        if (sameBytes(earlier, bytes)) continue;
        throw new OciTarError('INVALID_LAYOUT', `${name} has two different entries called ${path}`, { subject: name, offset: entry.offset });
      }
      files.set(path, bytes);
      if (path === layoutPath) {
        parseLayout(bytes, name, limits);
        continue;
      }
      index = parseIndex(bytes, { mediaType: mediaTypes.index, limits, subject: `${name}: ${path}` });
      wanted.begin(index);
      // Documents that came before the index could not be told from other blobs.
      await readStaged(wanted, staged, limits);
    } else {
      const digest = digestOfBlobPath(path);
      if (digest === undefined || !isComputable(digest) || staged.has(digest)) continue;
      const standing = wanted.standing(digest);
      if (standing === 'unneeded') continue;
      if (standing === 'needed' && (await session.has({ digest, size: entry.size }))) continue;
      staged.set(digest, await session.stage(entry.data, { digest, size: entry.size }));
      if (standing === 'document') await readStaged(wanted, staged, limits);
    }
  }
  if (index === undefined || !files.has(layoutPath)) {
    throw new OciTarError('INVALID_LAYOUT', `${name} is not an OCI image archive: it has no ${files.has(layoutPath) ? indexPath : layoutPath}`, { subject: name, side: 'source' });
  }
  return { index, staged };
}

/** Reads the documents that are staged, and the ones that these refer to, as far as they have come. */
async function readStaged(wanted: Wanted, staged: ReadonlyMap<Digest, StagedBlob>, limits: JsonLimits): Promise<void> {
  for (let digest = wanted.nextDocument(staged); digest !== undefined; digest = wanted.nextDocument(staged)) {
    const blob = staged.get(digest);
    if (blob === undefined) return;
    wanted.read(digest, await collect(blob.source().read(), limits.bytes, digest));
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, position) => byte === b[position]);
}
