import { compressZstd, zstdDecoder } from '#runtime/zstd';
import { ByteReader } from '../bytes/reader.ts';
import { coalesced } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { ZstdDecoder } from '../runtime/engines.ts';
import { Turns } from '../runtime/turns.ts';
import type { Codec } from './codec.ts';
import { broken, truncated } from './failures.ts';
import { checkLevel, checkLimit, OutputBudget } from './limits.ts';
import {
  blockHeaderLength,
  checksumLength,
  frameHeaderLength,
  isFrame,
  isSkippableFrame,
  magicLength,
  parseBlockHeader,
  parseFrameHeader,
} from './zstd-frame.ts';
import type { BlockHeader, FrameHeader } from './zstd-frame.ts';

/** zstd's own default, which every tool uses. */
const defaultLevel = 3;
/** Levels 20 to 22 need up to 1 GiB of memory and windows that readers refuse. */
const highestLevel = 19;

/**
 * Zstandard (RFC 8878), levels 1 (fastest) to 19 (smallest), 3 by default: one frame with a checksum, the same bytes on
 * every platform and on every version of Node. Decompressing takes any number of frames, skips skippable ones, checks
 * checksums, and refuses windows over 128 MiB (LIMIT_EXCEEDED) and dictionaries (UNSUPPORTED).
 */
export const zstd: Codec = {
  name: 'zstd',
  suffix: '+zstd',
  detect: (head) => isFrame(head) || isSkippableFrame(head),
  compress(bytes, { level = defaultLevel } = {}) {
    return coalesced(compressZstd(bytes, checkLevel('zstd', level, highestLevel)));
  },
  decompress(bytes, { limit } = {}) {
    return coalesced(frames(bytes, new OutputBudget(checkLimit(limit))));
  },
};

async function* frames(bytes: ByteStream, budget: OutputBudget): AsyncGenerator<Uint8Array, void, void> {
  const reader = new ByteReader(bytes);
  const turns = new Turns();
  let decoder: ZstdDecoder | undefined;
  try {
    for (let first = true; ; first = false) {
      const magic = await reader.peek(magicLength);
      if (magic.length === 0 && !first) return;
      if (isSkippableFrame(magic)) {
        await skipFrame(reader);
      } else if (isFrame(magic)) {
        decoder ??= await zstdDecoder();
        yield* frame(reader, decoder, budget, turns);
      } else if (magic.length < magicLength) {
        throw truncated('zstd', reader.offset + magic.length, 'the start of a frame');
      } else {
        throw broken('zstd', reader.offset, first ? 'no zstd frame' : 'data after the last frame that is no further one');
      }
      await turns.rest();
    }
  } finally {
    decoder?.dispose();
    await reader.close();
  }
}

async function skipFrame(reader: ByteReader): Promise<void> {
  const head = await exactly(reader, magicLength + 4, 'the header of a skippable frame');
  const length = new DataView(head.buffer, head.byteOffset).getUint32(magicLength, true);
  if ((await reader.skip(length)) < length) throw truncated('zstd', reader.offset, 'a skippable frame');
}

/**
 * One frame, block by block: no step decodes to more than 128 KiB, whatever the input, and every error is known
 * to the block.
 */
async function* frame(
  reader: ByteReader,
  decoder: ZstdDecoder,
  budget: OutputBudget,
  turns: Turns,
): AsyncGenerator<Uint8Array, void, void> {
  const start = reader.offset;
  const descriptor = (await reader.peek(magicLength + 1))[magicLength];
  if (descriptor === undefined) throw truncated('zstd', start + magicLength, 'a frame header');
  const headerBytes = await exactly(reader, frameHeaderLength(descriptor), 'a frame header');
  const header = parseFrameHeader(headerBytes, start);
  if (header.contentSize !== undefined) budget.check(header.contentSize);
  decoder.reserve(header.windowSize);
  decoder.feed(headerBytes);

  for (let last = false; !last; ) {
    const offset = reader.offset;
    const block = parseBlockHeader(await ahead(reader, blockHeaderLength, 'a block header'), header, offset);
    if (block.decodedLength !== undefined) budget.check(block.decodedLength);
    const output = decoder.feed(await exactly(reader, blockHeaderLength + block.length, 'a block'));
    // The decoder answers a block that it refuses with nothing; no encoder writes a compressed block of nothing.
    if (block.decodedLength === undefined ? output.length === 0 : output.length !== block.decodedLength) {
      throw broken('zstd', offset, refusal(block, header));
    }
    budget.spend(output.length);
    if (output.length > 0) yield output;
    await turns.rest();
    last = block.last;
  }
  const end = reader.offset;
  if (header.hasChecksum) decoder.feed(await exactly(reader, checksumLength, 'a checksum'));
  if (!decoder.complete()) {
    throw broken('zstd', end, header.hasChecksum ? 'the content does not match its checksum' : 'the frame does not end here');
  }
}

/** The decoder compares the content with the announced size when it has the last block. */
function refusal(block: BlockHeader, header: FrameHeader): string {
  const what = `a ${block.type} block that cannot be decoded`;
  return block.last && header.contentSize !== undefined ? `${what}, or content of other than ${header.contentSize} bytes` : what;
}

async function exactly(reader: ByteReader, length: number, inside: string): Promise<Uint8Array> {
  const bytes = await ahead(reader, length, inside);
  await reader.skip(length);
  return bytes;
}

async function ahead(reader: ByteReader, length: number, inside: string): Promise<Uint8Array> {
  const bytes = await reader.peek(length);
  if (bytes.length < length) throw truncated('zstd', reader.offset + bytes.length, inside);
  return bytes;
}
