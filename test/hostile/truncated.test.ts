import { codecByName, collect } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { cut } from '../support/sinks.ts';
import { archive, imagePieces } from './archives.ts';
import { refused, taken, ways } from './attempt.ts';

const whole = archive(await imagePieces());
/** Two blocks of zeros; an archive may end after the first one. */
const endMarker = 1024;

describe.each(ways)('an archive that is cut off, by %s', (way) => {
  it('is refused at every border of a block, and says where it ends', async () => {
    for (let length = 512; length <= whole.length - endMarker; length += 512) {
      const error = await refused(way, whole.subarray(0, length), 'INVALID_TAR');
      expect(error.message).toContain('truncated');
      expect(error.details.offset).toBe(length);
    }
  });

  it('is refused inside every block, the end marker too, and says where it ends', async () => {
    for (let block = 0; block < whole.length; block += 512) {
      const length = block + 1 + ((block * 7) % 511);
      const error = await refused(way, whole.subarray(0, length), 'INVALID_TAR');
      expect(error.message).toContain('truncated');
      expect(error.details.offset).toBe(length);
    }
  });

  it('is whole with one block of zeros at its end', async () => {
    expect(await taken(way, whole.subarray(0, whole.length - 512))).toEqual(await taken(way, whole));
  });

  it('is refused when nothing is left of it', async () => {
    expect((await refused(way, new Uint8Array(), 'INVALID_TAR')).details.offset).toBe(0);
  });

  it.each(['gzip', 'zstd'] as const)('is refused when it is compressed with %s, and says where', async (name) => {
    const compressed = await collect(codecByName(name).compress(cut(whole)), 1 << 20, name);
    for (const part of [0.1, 0.5, 0.9, 1]) {
      const length = Math.floor((compressed.length - 1) * part);
      const error = await refused(way, compressed.subarray(0, length), 'INVALID_COMPRESSION');
      expect(error.details.offset).toBe(length);
    }
    expect((await taken(way, compressed)).size).toBe(5);
  });
});
