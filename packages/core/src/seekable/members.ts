import type { BlobCompressor } from './format.ts';
import type { Member, Segment } from './segment.ts';

/** Segments that become members by themselves, whatever comes before and after them. */
export interface Unit {
  readonly segments: readonly Segment[];
  /** Bytes of the tar. */
  readonly size: number;
}

/**
 * Where members are to have a least size, what fits into one depends on how the ones before it compressed. So the tar is cut into
 * units first, by its own bytes alone, and each is compressed apart from the others: the blob is the same, however many
 * cores work on it. At 4 MiB the shorter member at a unit's end costs less than 0.1 % of the blob.
 */
const unitSize = 4 * 1024 * 1024;

/** Gathers segments into units. Without a least size each segment is one. */
export class Units {
  readonly #minSize: number;
  #segments: Segment[] = [];
  #size = 0;

  constructor(minSize: number) {
    // Units of a few members would mostly end in a short one.
    this.#minSize = minSize === 0 ? 0 : Math.max(unitSize, 32 * minSize);
  }

  /** The units that are complete with this segment. */
  *add(segment: Segment): Generator<Unit, void, void> {
    if (segment.apart) yield* this.end();
    this.#segments.push(segment);
    this.#size += segment.size;
    if (this.#size >= this.#minSize) yield* this.end();
  }

  /** What is left. */
  *end(): Generator<Unit, void, void> {
    if (this.#segments.length === 0) return;
    const unit = { segments: this.#segments, size: this.#size };
    this.#segments = [];
    this.#size = 0;
    yield unit;
  }
}

/** What a member is expected to shrink to before any is known; real layers come to between a quarter and a half. */
const firstRatio = 0.3;

/** Aims a little too high: a member that turns out too small is compressed twice. */
const margin = 1.25;

/** Compresses a unit into members of at least `minSize` bytes, but for its last; a segment is never divided. */
export function compressUnit(unit: Unit, minSize: number, compressor: Pick<BlobCompressor, 'member'>): Promise<Member[]> {
  return minSize === 0 ? compressEach(unit, compressor) : compressTogether(unit, minSize, compressor);
}

/** A member for each segment. What waits to be compressed does not hold the segments: a compressor may have its own copy, and the runs that they came in are free. */
function compressEach({ segments }: Unit, compressor: Pick<BlobCompressor, 'member'>): Promise<Member[]> {
  const chunks = segments.map((segment) => chunksOf([segment]));
  return Promise.all(segments.map(({ parts }) => compressor.member(parts))).then((members) => members.map((bytes, at) => ({ bytes, chunks: chunks[at] ?? [] })));
}

async function compressTogether(unit: Unit, minSize: number, compressor: Pick<BlobCompressor, 'member'>): Promise<Member[]> {
  const members: Member[] = [];
  let ratio = firstRatio;
  for (let at = 0; at < unit.segments.length; ) {
    const taken: Segment[] = [];
    let size = 0;
    let bytes: Uint8Array;
    do {
      const wanted = (minSize * margin) / ratio;
      do {
        const segment = unit.segments[at];
        if (segment === undefined) break;
        taken.push(segment);
        size += segment.size;
        at += 1;
      } while (size < wanted && at < unit.segments.length);
      bytes = await compressor.member(taken.flatMap(({ parts }) => parts));
      ratio = Math.max(bytes.length / size, leastRatio);
    } while (bytes.length < minSize && at < unit.segments.length);
    members.push({ bytes, chunks: chunksOf(taken) });
  }
  return members;
}

/** Deflate shrinks no further than to a thousandth or so. */
const leastRatio = 1 / 1100;

function chunksOf(segments: readonly Segment[]): Member['chunks'] {
  let innerOffset = 0;
  return segments.flatMap(({ chunk, size }) => {
    const start = innerOffset;
    innerOffset += size;
    return chunk === undefined ? [] : [{ chunk, innerOffset: start }];
  });
}
