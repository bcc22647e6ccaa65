import { gunzipSync, gzipSync } from 'node:zlib';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesSource, checkRange } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { gzip } from '../../compression/gzip.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { becameShorter, readHandle } from '../../runtime/node/handle.ts';
import { wholePayload } from '../../tar/split/limits.ts';
import type { ContentKey, PayloadSource } from '../../tar/split/payloads.ts';
import { payloadPath } from './payload-directory.ts';

/**
 * A payload in the store is a byte that tells its form, and the bytes: as they are, or as one gzip member. Layers come
 * compressed, so that files which are not would take more room than they save.
 */
export const storedForms = { plain: 0, gzip: 1 } as const;

/** As the gzip codec's own default: twice as fast as 6 for 2.4 % more bytes. */
export const storedLevel = 4;

/** Compression has to save a tenth: below that reading is all that is slower. */
const worthwhile = 0.9;

/** Of a payload of four times this and more a piece is tried first: what does not shrink (pictures, archives) takes the longest. */
const sample = 16 * 1024;

/** A short payload in the form in which it is stored. */
export function storedBytes(bytes: Uint8Array): Uint8Array {
  const packed = shrinks(bytes) ? gzipSync(bytes, { level: storedLevel }) : bytes;
  const smaller = packed.length < bytes.length * worthwhile;
  const body = smaller ? packed : bytes;
  const stored = new Uint8Array(body.length + 1);
  stored[0] = smaller ? storedForms.gzip : storedForms.plain;
  stored.set(body, 1);
  return stored;
}

function shrinks(bytes: Uint8Array): boolean {
  if (bytes.length < 4 * sample) return bytes.length >= 128;
  const middle = Math.floor(bytes.length / 2);
  return gzipSync(bytes.subarray(middle, middle + sample), { level: 1 }).length < sample * worthwhile;
}

const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/** The payloads of a store below `root`. What comes out is checked by whoever asks; what cannot be read at all is DIGEST_MISMATCH. */
export function storedPayloads(root: string): PayloadSource {
  return {
    open(key) {
      if ('digest' in key) return storedPayload(join(root, payloadPath(key.digest)), key);
      throw new OciTarError('UNSUPPORTED', 'a deduplicated store has its payloads by digest');
    },
  };
}

/** A payload in its file. NOT_FOUND. */
export function storedPayload(path: string, key: ContentKey): ByteSource {
  let file: number | undefined;
  try {
    file = openSync(path, openFlags);
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size === 0) throw damaged(key, 'its file is none');
    if (key.size > wholePayload || stats.size > 2 * wholePayload) return longPayload(path, stats.size, key);
    const stored = Buffer.allocUnsafe(stats.size);
    for (let filled = 0; filled < stored.length; ) {
      const count = readSync(file, stored, filled, stored.length - filled, filled);
      if (count === 0) throw becameShorter(path, stored.length, filled);
      filled += count;
    }
    return bytesSource(plainBytes(stored, key));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw mapErrno(error, path);
    throw new OciTarError('NOT_FOUND', `the store has lost the file ${key.digest} (${key.size} bytes) of a layer`, { subject: key.digest, cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function plainBytes(stored: Buffer, key: ContentKey): Uint8Array {
  const body = stored.subarray(1);
  if (stored[0] === storedForms.plain) return body;
  if (stored[0] !== storedForms.gzip) throw damaged(key, 'its form is not known');
  try {
    return gunzipSync(body, { maxOutputLength: key.size });
  } catch (cause) {
    throw damaged(key, 'it does not unpack', cause);
  }
}

function longPayload(path: string, stored: number, key: ContentKey): ByteSource {
  return {
    size: key.size,
    async *read(start = 0, end = key.size) {
      checkRange(start, end, key.size);
      const handle = await open(path, openFlags).catch((error: unknown) => {
        throw mapErrno(error, path);
      });
      try {
        const form = new Uint8Array(1);
        await handle.read(form, 0, 1, 0);
        const body = readHandle(handle, path, 1, stored, stored);
        if (form[0] === storedForms.plain) yield* part(body, start, end);
        else if (form[0] === storedForms.gzip) yield* part(gzip.decompress(body, { limit: key.size }), start, end);
        else throw damaged(key, 'its form is not known');
      } catch (error) {
        throw isOciTarError(error, 'INVALID_COMPRESSION') || isOciTarError(error, 'LIMIT_EXCEEDED') ? damaged(key, 'it does not unpack', error) : error;
      } finally {
        await handle.close();
      }
    },
  };
}

/** The bytes of a stream from `start` up to but without `end`; it is not read further. */
export async function* part(bytes: ByteStream, start: number, end: number): ByteStream {
  let at = 0;
  for await (const run of bytes) {
    const piece = run.subarray(Math.max(0, start - at), Math.max(0, end - at));
    at += run.length;
    if (piece.length > 0) yield piece;
    // A whole reading goes on to the end, where digests are compared.
    if (at > end) return;
  }
}

export function damaged(key: ContentKey, why: string, cause?: unknown): OciTarError {
  return new OciTarError('DIGEST_MISMATCH', `the file ${key.digest} of a layer is damaged in the store: ${why}`, { subject: key.digest, expected: key.digest, ...(cause === undefined ? {} : { cause }) });
}
