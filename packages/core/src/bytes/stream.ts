import { join } from './source.ts';
import type { ByteSink, ByteStream } from './types.ts';

/** The least that is worth a hand-over: three generators deep, runs of 64 KiB cost nothing, 512-byte runs 200 times as much. */
export const runSize = 64 * 1024;

/** Stops with the signal's own reason as soon as it is aborted, also between chunks that never come. */
export async function* abortable(stream: ByteStream, signal: AbortSignal | undefined): ByteStream {
  if (signal === undefined) {
    yield* stream;
    return;
  }
  signal.throwIfAborted();
  const iterator = stream[Symbol.asyncIterator]();
  let giveUp: ((reason: unknown) => void) | undefined;
  const onAbort = () => giveUp?.(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      const result = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      if (result.done) return;
      yield result.value;
      signal.throwIfAborted();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    const returned = iterator.return?.();
    // Not awaited after an abort: a read that hangs would hang the abort too.
    if (signal.aborted) returned?.catch(() => {});
    else await returned;
  }
}

/** Calls `onBytes` with the length of each chunk that passes. */
export async function* counted(stream: ByteStream, onBytes: (count: number) => void): ByteStream {
  for await (const chunk of stream) {
    onBytes(chunk.byteLength);
    yield chunk;
  }
}

/** Joins small chunks into runs of at least `size` bytes (the last may be shorter); big ones pass as they are. Neighbours in memory are joined without a copy. */
export async function* coalesced(stream: ByteStream, size: number = runSize): ByteStream {
  let small: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of stream) {
    if (held === 0 && chunk.byteLength >= size) {
      yield chunk;
      continue;
    }
    const before = small.at(-1);
    if (before !== undefined && chunk.buffer === before.buffer && chunk.byteOffset === before.byteOffset + before.byteLength) {
      small[small.length - 1] = new Uint8Array(before.buffer, before.byteOffset, before.byteLength + chunk.byteLength);
    } else {
      small.push(chunk);
    }
    held += chunk.byteLength;
    if (held < size) continue;
    yield joined(small, held);
    small = [];
    held = 0;
  }
  if (held > 0) yield joined(small, held);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : join(chunks, size);
}

/** A sink that gathers small writes into runs of `size` bytes before it passes them on. */
export function bufferedSink(sink: ByteSink, size: number = 4 * runSize): ByteSink {
  let small: Uint8Array[] = [];
  let held = 0;
  const flush = async () => {
    if (held === 0) return;
    const run = small.length === 1 && small[0] !== undefined ? small[0] : join(small, held);
    small = [];
    held = 0;
    await sink.write(run);
  };
  return {
    async write(chunk) {
      if (held + chunk.byteLength > size) await flush();
      if (chunk.byteLength >= size) return sink.write(chunk);
      small.push(chunk);
      held += chunk.byteLength;
    },
    async commit() {
      await flush();
      await sink.commit();
    },
    abort: (reason) => sink.abort(reason),
  };
}
