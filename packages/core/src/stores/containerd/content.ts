import { checkRange } from '../../bytes/source.ts';
import { coalesced } from '../../bytes/stream.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import type { Digest } from '../../spec/digest.ts';
import { isDigest } from '../../spec/digest.ts';
import type { CallOptions, Connection } from './connection.ts';
import { engineError, grpcStatus, hasStatus } from './failure.ts';
import { bytesAnswer, infoAnswer, infosAnswer, nothing } from './messages.ts';
import type { BlobInfo } from './messages.ts';

/** Size and labels of a blob; undefined where the namespace does not have it. */
export async function blobInfo(connection: Connection, digest: Digest, options: CallOptions = {}): Promise<BlobInfo | undefined> {
  try {
    return (await connection.call('Content/Info', { digest }, infoAnswer, options)).info;
  } catch (error) {
    if (hasStatus(error, grpcStatus.notFound)) return undefined;
    throw engineError(error, `tell of ${digest}`, connection.address, options.signal);
  }
}

/** The bytes of a blob, raw, read in the ranges that are asked for. */
export function blobSource(connection: Connection, { digest, size }: Pick<BlobInfo, 'digest' | 'size'>, options: CallOptions = {}): ByteSource {
  return {
    size,
    read(start = 0, end = size) {
      checkRange(start, end, size);
      return coalesced(readRange(connection, digest, start, end, options));
    },
  };
}

async function* readRange(connection: Connection, digest: Digest, start: number, end: number, options: CallOptions): ByteStream {
  // A size of 0 would mean all of it.
  if (start === end) return;
  let at = start;
  try {
    for await (const { offset, data } of connection.answers('Content/Read', { digest, offset: start, size: end - start }, bytesAnswer, options)) {
      if (offset !== at) {
        throw new OciTarError('ENGINE', `containerd sent byte ${offset} of ${digest} where byte ${at} follows`, { subject: digest, offset: at, expected: at, actual: offset });
      }
      at += data.byteLength;
      if (at > end) throw lengthMismatch(digest, end - start, at - start);
      yield data;
    }
  } catch (error) {
    throw engineError(error, `read ${digest}`, connection.address, options.signal);
  }
  if (at < end) throw lengthMismatch(digest, end - start, at - start);
}

function lengthMismatch(digest: Digest, expected: number, actual: number): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `blob ${digest}: containerd sent ${actual} bytes, expected ${expected}`, { expected, actual, subject: digest });
}

/** Every blob of the namespace. */
export async function* allBlobs(connection: Connection, options: CallOptions = {}): AsyncGenerator<{ readonly digest: Digest; readonly size: number }, void, void> {
  try {
    for await (const { info } of connection.answers('Content/List', {}, infosAnswer, options)) {
      for (const { digest, size } of info) if (isDigest(digest)) yield { digest, size };
    }
  } catch (error) {
    throw engineError(error, 'list its content', connection.address, options.signal);
  }
}

/** Adds labels to a blob, or changes them; others stay. */
export async function setLabels(connection: Connection, digest: Digest, labels: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<void> {
  const paths = Object.keys(labels).map((key) => `labels.${key}`);
  if (paths.length === 0) return;
  try {
    await connection.call('Content/Update', { info: { digest, labels }, updateMask: { paths } }, infoAnswer, options);
  } catch (error) {
    throw engineError(error, `label ${digest}`, connection.address, options.signal);
  }
}

export async function deleteBlob(connection: Connection, digest: Digest): Promise<void> {
  try {
    await connection.call('Content/Delete', { digest }, nothing);
  } catch (error) {
    if (!hasStatus(error, grpcStatus.notFound)) throw engineError(error, `remove ${digest}`, connection.address);
  }
}
