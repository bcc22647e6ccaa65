import { OciTarError, abortable, createSpool, fileSource, isOciTarError, openOutput } from '@oci-tar/core';
import type { ByteSink, ByteSource, ByteStream } from '@oci-tar/core';
import type { Context } from './context.ts';
import { archiveOutput } from './outputs.ts';

/** A file as a source, or standard input, which waits in a temporary file; handed on, and its errors told with its name. */
export async function withBlob<T>(context: Context, path: string, work: (blob: ByteSource) => Promise<T>): Promise<T> {
  if (path !== '-') return about(path, async () => work(await fileSource(path)));
  const spool = await createSpool();
  try {
    for await (const run of abortable(context.io.stdin.bytes(), context.signal)) await spool.write(run);
    return await about('standard input', async () => work(await spool.source()));
  } finally {
    await spool.dispose();
  }
}

async function about<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOciTarError(error) || !damage.has(error.code) || error.message.includes(name)) throw error;
    throw new OciTarError(error.code, `${name}: ${error.message}`, { ...error.details, cause: error });
  }
}

/** What is wrong with a blob itself. */
const damage: ReadonlySet<string> = new Set(['INVALID_TOC', 'INVALID_TAR', 'INVALID_COMPRESSION', 'INVALID_JSON', 'DIGEST_MISMATCH', 'SIZE_MISMATCH']);

/** Refuses what cannot be written to now; opens it when it is called. */
export function outputTo(context: Context, path: string): () => Promise<ByteSink> {
  const output = archiveOutput(context, path);
  return async () => (typeof output === 'string' ? openOutput(output) : output);
}

/**
 * All of a stream into a sink, which appears whole or not at all; `last` is done when everything is written and nothing is there yet. Returns how
 * many bytes there were.
 */
export async function into(sink: ByteSink, bytes: ByteStream, last: () => Promise<void> = async () => {}): Promise<number> {
  let size = 0;
  try {
    for await (const run of bytes) {
      await sink.write(run);
      size += run.byteLength;
    }
    await last();
    await sink.commit();
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
  return size;
}

/** Bytes that are at hand, as a stream. */
export async function* only(bytes: Uint8Array): ByteStream {
  yield bytes;
}
