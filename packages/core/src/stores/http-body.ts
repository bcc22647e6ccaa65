import type { Readable } from 'node:stream';
import type { ByteStream } from '../bytes/types.ts';

/** The body of a request, as undici takes it. */
export interface RequestBody {
  readonly body: Readable | Uint8Array;
  /** What the stream itself threw: undici only says that the body was given up. */
  failure(): { readonly reason: unknown } | undefined;
}

/** undici's own wrapper of an iterable hands out one chunk a turn and breaks off without `return`; Node's stream does neither. */
export function requestBody(source: ByteStream | Uint8Array): RequestBody {
  if (source instanceof Uint8Array) return { body: source, failure: () => undefined };
  let failed: { readonly reason: unknown } | undefined;
  const watched = noting(source, (reason) => (failed = { reason }));
  return { body: process.getBuiltinModule('node:stream').Readable.from(watched, { objectMode: false, highWaterMark: 1024 * 1024 }), failure: () => failed };
}

/** Not with `yield*`: a connection that is cut is thrown into the generator, and is no failure of the stream. */
async function* noting(stream: ByteStream, note: (reason: unknown) => void): ByteStream {
  const runs = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await runs.next().catch((reason: unknown) => {
        note(reason);
        throw reason;
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await runs.return?.();
  }
}
