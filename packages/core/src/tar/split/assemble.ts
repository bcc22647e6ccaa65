import { Verifier } from '../../bytes/digest.ts';
import { ByteReader } from '../../bytes/reader.ts';
import { collect } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { decodeText } from '../text.ts';
import { crc64, Crc64 } from './crc64.ts';
import { defaultSplitLimits, invalidMetadata, overLimit, wholePayload } from './limits.ts';
import type { SplitLimits } from './limits.ts';
import { Output } from './output.ts';
import { isOwn, OwnReader } from './own-read.ts';
import type { ContentKey, PayloadKey, PayloadSource } from './payloads.ts';
import type { PieceReader, SplitPiece } from './piece.ts';
import { UpstreamReader } from './upstream-read.ts';

/** Of the archive's bytes so many go together, most of them read to their place at once. */
const assembledRun = 512 * 1024;

export interface AssembleOptions {
  readonly limits?: Partial<SplitLimits>;
  readonly signal?: AbortSignal;
}

/** The pieces of metadata in either format, told by how they start; compressed ones have to be decompressed before. */
export async function* splitPieces(metadata: ByteStream, limits: SplitLimits = defaultSplitLimits): AsyncGenerator<SplitPiece, void, void> {
  const reader = new ByteReader(metadata);
  try {
    const { pieces } = await piecesOf(reader, limits);
    for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) yield piece;
  } finally {
    await reader.close();
  }
}

interface Pieces {
  readonly pieces: PieceReader;
  /** Whether they end with the digest of the whole. */
  readonly digested: boolean;
}

async function piecesOf(reader: ByteReader, limits: SplitLimits): Promise<Pieces> {
  const head = await reader.peek(32);
  if (isOwn(head)) return { pieces: new OwnReader(reader, limits), digested: true };
  if (head.length === 0) throw invalidMetadata('they are empty', 0);
  if (head[0] === 0x7b) return { pieces: new UpstreamReader(reader, limits), digested: false };
  throw new OciTarError('UNSUPPORTED', 'these are no tar-split metadata: neither the format of oci-tar nor JSON lines', { offset: 0 });
}

/**
 * Puts an archive together again, byte for byte, from metadata of either format. Each payload's size is compared before a byte of
 * it is handed out, and its digest (CRC-64 in upstream's format) before it for payloads up to 1 MiB, while it passes above; never
 * more than its size comes out. In our own format the size and digest of the whole archive are compared before its last run.
 * SIZE_MISMATCH, DIGEST_MISMATCH; INVALID_TAR, LIMIT_EXCEEDED, UNSUPPORTED for the metadata; errors of `payloads`.
 */
export async function* assemble(metadata: ByteStream, payloads: PayloadSource, options: AssembleOptions = {}): ByteStream {
  const { signal } = options;
  const limits = { ...defaultSplitLimits, ...options.limits };
  const output = new Output(assembledRun);
  const whole = new Verifier({}, { subject: 'the archive that was put together' });
  const reader = new ByteReader(metadata);
  let size = 0;
  try {
    const { pieces, digested } = await piecesOf(reader, limits);
    const passing = async (run: Uint8Array): Promise<Uint8Array> => {
      const waiting = digested ? whole.update(run) : undefined;
      if (waiting !== undefined) await waiting;
      return run;
    };
    for (;;) {
      const next = pieces.next();
      const piece = next instanceof Promise ? await next : next;
      if (piece === undefined) break;
      signal?.throwIfAborted();
      if (piece.kind === 'end') {
        // The last run waits for the digest: nobody can take a wrong archive for a whole one.
        const last = await passing(output.take());
        await whole.finish({ digest: piece.digest, size: piece.size });
        if (last.length > 0) yield last;
        return;
      }
      const length = piece.kind === 'raw' ? piece.bytes.length : piece.key.size;
      size += length;
      if (size > limits.archive) throw overLimit('the archive has a number of bytes that is', limits.archive);
      if (output.length > 0 && !output.fits(length)) yield passing(output.take());
      if (piece.kind === 'raw') output.bytes(piece.bytes);
      else if (length <= wholePayload && payloads.readInto?.(piece.key, output.room(length)) === true) {
        const checking = check(output.room(length), piece);
        if (checking !== undefined) await checking;
        output.advance(length);
      } else {
        const source = await opened(payloads, piece.key);
        if (length <= wholePayload) output.bytes(await checkedWhole(source, piece));
        else {
          if (output.length > 0) yield passing(output.take());
          for await (const run of checkedPassing(source, piece)) {
            signal?.throwIfAborted();
            yield passing(run);
          }
        }
      }
    }
    if (output.length > 0) yield passing(output.take());
  } finally {
    await reader.close();
    whole.dispose();
  }
}

type Payload = Extract<SplitPiece, { readonly kind: 'payload' }>;

async function opened(payloads: PayloadSource, key: PayloadKey): Promise<ByteSource> {
  const source = await payloads.open(key);
  if (source.size === key.size) return source;
  throw new OciTarError('SIZE_MISMATCH', `the payload ${payloadName(key)} has ${source.size} bytes, expected ${key.size}`, {
    expected: key.size,
    actual: source.size,
    subject: payloadName(key),
  });
}

async function checkedWhole(source: ByteSource, piece: Payload): Promise<Uint8Array> {
  const bytes = await collect(source.read(), piece.key.size, `the payload ${payloadName(piece.key)}`);
  await check(bytes, piece);
  return bytes;
}

/** Compares size and checksum of a whole payload. */
function check(bytes: Uint8Array, { key, crc }: Payload): Promise<void> | void {
  if ('digest' in key) return checkDigest(bytes, key);
  if (bytes.length !== key.size) throw shorter(key, bytes.length);
  compareCrc(key, crc64(bytes), crc);
}

async function checkDigest(bytes: Uint8Array, key: ContentKey): Promise<void> {
  const verifier = new Verifier(key, { subject: `the payload ${key.digest}` });
  await verifier.update(bytes);
  await verifier.finish();
}

async function* checkedPassing(source: ByteSource, { key, crc }: Payload): ByteStream {
  const verifier = 'digest' in key ? new Verifier(key, { subject: `the payload ${key.digest}` }) : undefined;
  const checksum = new Crc64();
  let left = key.size;
  try {
    for await (const run of source.read()) {
      left -= run.length;
      if (left < 0) throw overLimit(`the payload ${payloadName(key)} has a number of bytes that is`, key.size);
      if (verifier === undefined) checksum.update(run);
      else await verifier.update(run);
      yield run;
    }
    if (verifier !== undefined) await verifier.finish();
    else if (left > 0) throw shorter(key, key.size - left);
    else compareCrc(key, checksum.sum(), crc);
  } finally {
    verifier?.dispose();
  }
}

function compareCrc(key: PayloadKey, actual: Uint8Array, expected: Uint8Array | undefined): void {
  if (expected === undefined) throw invalidMetadata('a file has no checksum', 0);
  if (actual.every((byte, i) => byte === expected[i])) return;
  throw new OciTarError('DIGEST_MISMATCH', `the payload ${payloadName(key)} is not what was taken apart: its CRC-64 is ${hex(actual)}, expected ${hex(expected)}`, {
    expected: hex(expected),
    actual: hex(actual),
    subject: payloadName(key),
  });
}

function shorter(key: PayloadKey, actual: number): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `the payload ${payloadName(key)} has ${actual} bytes, expected ${key.size}`, { expected: key.size, actual, subject: payloadName(key) });
}

/** A payload's key for people. */
export function payloadName(key: PayloadKey): string {
  return 'digest' in key ? key.digest : JSON.stringify(decodeText(key.name));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
