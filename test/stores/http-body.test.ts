import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { requestBody } from '../../packages/core/src/stores/http-body.ts';

/** Endless runs, and whether they were given up. */
function runs(failAfter = Infinity): { readonly stream: AsyncIterable<Uint8Array>; readonly reason: Error; released(): boolean } {
  let released = false;
  const reason = new Error('the source is damaged');
  const stream = (async function* () {
    try {
      for (let count = 0; ; count++) {
        if (count === failAfter) throw reason;
        yield new Uint8Array(65_536);
      }
    } finally {
      released = true;
    }
  })();
  return { stream, reason, released: () => released };
}

function readable({ body }: ReturnType<typeof requestBody>): Readable {
  if (body instanceof Readable) return body;
  throw new TypeError('a stream was given');
}

describe('the body of a request', () => {
  it('whose connection is cut gives its source up, and does not take the cut for a failure of that', async () => {
    const source = runs();
    const sent = requestBody(source.stream);
    const body = readable(sent);
    await body[Symbol.asyncIterator]().next();
    body.destroy(new Error('read ECONNRESET'));
    await finished(body).catch(() => {});
    await expect.poll(source.released).toBe(true);
    expect(sent.failure()).toBeUndefined();
  });

  it('whose source fails says with what', async () => {
    const source = runs(2);
    const sent = requestBody(source.stream);
    await expect(readable(sent).toArray()).rejects.toBe(source.reason);
    expect(sent.failure()).toEqual({ reason: source.reason });
  });
});
