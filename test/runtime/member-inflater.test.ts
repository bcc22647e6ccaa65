import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MemberInflater } from '../../packages/core/src/runtime/node/member-inflater.js';

const most = 100_000;
const contents = [new Uint8Array(0), new Uint8Array(most), Uint8Array.from(randomBytes(50_000)), new Uint8Array(10).fill(3)];

describe('inflating members into memory that is used again', () => {
  it('is possible with this version of Node', () => {
    expect(new MemberInflater(most).reuses).toBe(true);
  });

  it('gives each its content, and tells where its data ends', () => {
    const inflater = new MemberInflater(most);
    for (const content of [...contents, ...contents]) {
      const data = deflateRawSync(content);
      const bytes = Buffer.concat([Buffer.alloc(7, 1), data, Buffer.alloc(9, 2)]);
      const inflated = inflater.inflate(bytes, 7, bytes.length, most);
      expect(inflated?.consumed).toBe(data.length);
      expect(Buffer.compare(inflated?.output ?? Buffer.of(1), content)).toBe(0);
    }
  });

  it('refuses what is incomplete, broken or too large, and goes on with the next', () => {
    const inflater = new MemberInflater(most);
    const content = Uint8Array.from(randomBytes(1000));
    const data = deflateRawSync(content);
    const large = deflateRawSync(new Uint8Array(most + 1));
    const refused: [Uint8Array, number, number][] = [
      [data, data.length - 1, most],
      [data, 0, most],
      [data, data.length, content.length - 1],
      [Uint8Array.from(data, (byte) => byte ^ 0xff), data.length, most],
      [large, large.length, most],
      [large, large.length, 2 * most],
    ];
    for (const [bytes, end, limit] of refused) {
      expect(inflater.inflate(bytes, 0, end, limit)).toBeUndefined();
      expect(inflater.inflate(data, 0, data.length, content.length)?.output).toHaveLength(content.length);
    }
  });
});
