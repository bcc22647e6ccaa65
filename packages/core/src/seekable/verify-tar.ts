import { Verifier } from '../bytes/digest.ts';
import { ByteReader } from '../bytes/reader.ts';
import { abortable, coalesced } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import { limited } from '../compression/limits.ts';
import type { Digest } from '../spec/digest.ts';
import { tokens } from '../tar/tokens.ts';
import { invalidToc } from './failures.ts';
import { defaultTocLimit } from './format.ts';
import type { SeekableLayer } from './open.ts';
import { TarComparison } from './tar-comparison.ts';
import type { Places } from './tar-comparison.ts';
import type { VerifiedSeekable } from './verify-seekable.ts';

export interface VerifyTarOptions {
  readonly digest?: Digest;
  readonly diffID?: Digest;
  /** Bytes that the TOC may have; 150 MiB by default. LIMIT_EXCEEDED. */
  readonly tocLimit?: number;
  readonly signal?: AbortSignal;
}

/** What the TOC's tar entry may have beside the JSON, in bytes. */
const aroundToc = 1024 * 1024;

/** A member of up to so many bytes is first tried whole. */
const smallMember = 128 * 1024;

/**
 * Reads the blob once from its start to its end and requires that the tar in it, as a reader without a TOC sees it, is what the TOC says, entry by entry, that each chunk is
 * where the TOC has it and what its digest says, and that blob and tar have these digests. INVALID_TOC, DIGEST_MISMATCH, INVALID_TAR, INVALID_COMPRESSION.
 */
export async function verifyTar(layer: SeekableLayer, options: VerifyTarOptions = {}): Promise<Required<Pick<VerifiedSeekable, 'content' | 'tar'>>> {
  const { digest, diffID, signal, tocLimit = defaultTocLimit } = options;
  const whole = new Verifier({ size: layer.blob.size, ...(digest === undefined ? {} : { digest }) }, { subject: 'the blob' });
  const diff = new Verifier(diffID === undefined ? {} : { digest: diffID }, { subject: 'the tar in the blob' });
  const places: Places = { starts: new Map(), payloadEnd: undefined };
  const comparison = new TarComparison(layer, places);
  try {
    const tar = passing(coalesced(tarOf(layer, passing(abortable(layer.blob.read(), signal), whole), places, tocLimit + aroundToc)), diff);
    for await (const token of tokens(tar, { requireEnd: false })) await comparison.take(token);
    const content = await comparison.finish();
    const [blob, decompressed] = [await whole.finish(), await diff.finish()];
    return { content, tar: { digest: blob.digest, diffID: decompressed.digest, size: decompressed.size } };
  } finally {
    comparison.dispose();
    whole.dispose();
    diff.dispose();
  }
}

/** All of the tar; notes where each member that the TOC names starts in it. */
async function* tarOf(layer: SeekableLayer, blob: ByteStream, places: Places, endLimit: number): ByteStream {
  const { parts, chunks } = layer;
  const { decompressor, payloadSize } = parts;
  const read = (bytes: ByteStream): ByteStream => (decompressor.strictReader ?? decompressor.reader).call(decompressor, bytes);
  const starts = [...new Set([0, ...chunks.map(({ offset }) => offset)])];
  const reader = new ByteReader(blob);
  let position = 0;
  try {
    for (const [at, start] of starts.entries()) {
      const end = starts[at + 1] ?? payloadSize;
      places.starts.set(start, position);
      const small = end - start <= smallMember ? decompressor.wholeMember?.(await reader.peek(end - start)) : undefined;
      if (small !== undefined) {
        await reader.skip(end - start);
        position += small.length;
        yield small;
      } else if (end > start) {
        for await (const run of read(reader.stream(end - start))) {
          position += run.length;
          yield run;
        }
      }
      if (reader.offset !== end) throw invalidToc(`has a member from byte ${start} to ${end}, which ends at ${reader.offset}`, undefined, { offset: start });
    }
    places.payloadEnd = position;
    const rest = reader.stream(layer.blob.size - payloadSize);
    if (decompressor.tarOfEnd !== undefined) yield* limited(decompressor.tarOfEnd(rest), endLimit);
    await reader.skip(layer.blob.size - reader.offset);
  } finally {
    await reader.close();
  }
}

async function* passing(bytes: ByteStream, verifier: Verifier): ByteStream {
  for await (const run of bytes) {
    const waiting = verifier.update(run);
    if (waiting !== undefined) await waiting;
    yield run;
  }
}
