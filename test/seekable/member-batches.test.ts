import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { memberBatches, membersOf } from '../../packages/core/src/seekable/member-batches.ts';
import { built, file, opened, tarOf } from './support.ts';

const mebibyte = 1024 * 1024;

describe('batches of members', () => {
  it('have a few mebibytes of content, however small they are compressed', async () => {
    const { blob } = await built(await tarOf(file('zeros', new Uint8Array(64 * mebibyte))), { chunkSize: mebibyte });
    const members = [...membersOf((await opened(blob)).chunks)];
    const digester = { parallelism: 1, expect() {}, memory: (size: number) => ({ bytes: new Uint8Array(size), release() {} }), digest: async () => [] };
    const batches = [];
    for await (const batch of memberBatches(members, bytesSource(blob), digester, new Set())) batches.push(batch);
    expect(batches.flatMap((batch) => batch.members)).toEqual(members);
    for (const { members: some, memory, size } of batches) {
      const content = some.reduce((sum, { chunks }) => sum + chunks.reduce((of, { chunkSize }) => of + chunkSize, 0), 0);
      expect(content).toBeLessThanOrEqual(16 * mebibyte);
      expect(size).toBeGreaterThanOrEqual(memory.bytes.length + content);
    }
  });
});
