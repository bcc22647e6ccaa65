import { setTimeout as sleep } from 'node:timers/promises';
import { checkRange } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { defaultRetries } from './options.ts';
import type { RegistryOptions } from './options.ts';
import type { Repository } from './repository.ts';
import { ConnectionError, failureOf } from './transport.ts';
import type { HttpAnswer } from './transport.ts';

/** Whether the registry has a blob, and of that size. */
export async function hasBlob(repository: Repository, { digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
  const answer = await repository.write({ method: 'HEAD', path: `blobs/${digest}`, expect: [404, 405] });
  await answer.discard();
  const length = answer.header('content-length');
  return answer.status < 300 && (length === undefined || Number(length) === size);
}

/**
 * A blob of a registry, raw, read by ranges: what is cut off is taken up again where it ended, at most `retries` times in a row
 * without a byte. A registry that knows no ranges is read from the start. SIZE_MISMATCH where it sends more or less than the size.
 */
export function blobSource(repository: Repository, { digest, size }: Pick<Descriptor, 'digest' | 'size'>, options: RegistryOptions): ByteSource {
  return {
    size,
    async *read(start = 0, end = size): ByteStream {
      checkRange(start, end, size);
      let at = start;
      for (let idle = 0; at < end; ) {
        options.signal?.throwIfAborted();
        const before = at;
        try {
          for await (const run of ranged(repository, { digest, size }, at, end, options.signal)) {
            at += run.byteLength;
            yield run;
          }
          if (at < end) throw tooShort(digest, at, size);
          return;
        } catch (error) {
          idle = at > before ? 0 : idle + 1;
          if (!isCut(error) || idle > (options.retries ?? defaultRetries)) throw failureOf(error);
          await sleep(Math.min(100 * 2 ** idle, 5_000), undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => options.signal?.throwIfAborted());
        }
      }
    },
  };
}

async function* ranged(repository: Repository, blob: Pick<Descriptor, 'digest' | 'size'>, start: number, end: number, signal: AbortSignal | undefined): ByteStream {
  const { digest, size } = blob;
  const whole = start === 0 && end === size;
  const answer = await repository.read('pull', { method: 'GET', path: `blobs/${digest}`, ...(whole ? {} : { headers: { range: `bytes=${start}-${end - 1}` } }), signal });
  let skip = firstByte(answer, blob, start, end);
  let left = end - start;
  // Breaking off lets go of the connection, so that what a server adds is never read.
  for await (const run of answer.body) {
    const fresh = skip === 0 ? run : run.subarray(Math.min(skip, run.byteLength));
    skip -= run.byteLength - fresh.byteLength;
    if (fresh.byteLength === 0) continue;
    if (fresh.byteLength > left) {
      if (end === size) throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has more than ${size} bytes`, { side: 'source', expected: size, actual: `more than ${size}`, subject: digest });
      yield fresh.subarray(0, left);
      return;
    }
    left -= fresh.byteLength;
    yield fresh;
    if (left === 0 && end < size) return;
  }
}

/** How many bytes of the answer come before the one that was asked for. */
function firstByte(answer: HttpAnswer, { digest, size }: Pick<Descriptor, 'digest' | 'size'>, start: number, end: number): number {
  if (answer.status === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '') ?? [];
    if (from === undefined || Number(from) !== start) throw new OciTarError('REGISTRY', `${answer.url.host} sent another part of blob ${digest} than bytes ${start} to ${end - 1}`, { subject: digest });
    if (total !== undefined && total !== '*' && Number(total) !== size) throw wrongSize(digest, size, Number(total));
    return 0;
  }
  const length = answer.header('content-length');
  if (length !== undefined && Number(length) !== size) throw wrongSize(digest, size, Number(length));
  return start;
}

function wrongSize(digest: string, expected: number, actual: number): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${actual} bytes, expected ${expected}`, { side: 'source', expected, actual, subject: digest });
}

/** A connection that was closed early without an error. */
function tooShort(digest: string, at: number, size: number): ConnectionError {
  return new ConnectionError(new OciTarError('SIZE_MISMATCH', `blob ${digest} ends after ${at} of ${size} bytes`, { side: 'source', expected: size, actual: at, subject: digest }), true, false);
}

function isCut(error: unknown): boolean {
  return error instanceof ConnectionError && error.mayPass;
}
