import { describe, expect, test } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import type { OpenSource } from '../../packages/core/src/bytes/types.ts';
import { GroupReader } from '../../packages/core/src/tar/group.ts';
import type { Group, Peek } from '../../packages/core/src/tar/group.ts';
import { paddingOf } from '../../packages/core/src/tar/block.ts';
import { SourceWindow } from '../../packages/core/src/tar/window.ts';
import { archives } from './arbitrary.ts';
import { endMarker, join, rawEntry } from './raw.ts';
import fc from '../support/fast-check.ts';

/** The groups of an archive; what an entry has of the bytes that it was read from is copied at once. */
async function groupsOf(peekAt: (offset: number) => Peek): Promise<unknown[]> {
  const reader = new GroupReader();
  const found: unknown[] = [];
  for (let offset = 0; ; ) {
    const group: Group | undefined = await reader.read(offset, peekAt(offset));
    found.push(structuredClone(group));
    if (group === undefined || group.kind === 'end' || group.kind === 'invalid') return found;
    offset += group.length + (group.kind === 'entry' ? group.entry.size + paddingOf(group.entry.size) : 0);
  }
}

describe('the groups of headers', () => {
  test('are the same where each peek overwrites what the one before it showed', async () => {
    await fc.assert(
      fc.asyncProperty(archives, fc.boolean(), async (archive, late) => {
        const whole = await groupsOf((offset) => (n) => archive.subarray(offset, offset + n));
        const scratch = new Uint8Array(archive.length + 64);
        let peeks = 0;
        const again = await groupsOf((offset) => (n) => {
          const bytes = archive.subarray(offset, offset + n);
          // At another place each time, so that what is kept of it is surely wrong.
          const at = (peeks++ * 7) % 64;
          scratch.fill(0xa5);
          scratch.set(bytes, at);
          const shown = scratch.subarray(at, at + bytes.length);
          return late ? Promise.resolve(shown) : shown;
        });
        expect(again).toEqual(whole);
      }),
    );
  });
});

describe('a window', () => {
  test('shows the same with a source that was opened, and uses its memory again', async () => {
    const archive = join(...Array.from({ length: 3000 }, (_, at) => rawEntry({ name: `f${at}` }, String(at))), endMarker);
    const source = bytesSource(archive);
    const targets = new Set<ArrayBufferLike>();
    let reads = 0;
    const opened: OpenSource = {
      async readInto(target, position) {
        reads += 1;
        targets.add(target.buffer);
        target.set(archive.subarray(position, position + target.length));
      },
      async close() {},
    };
    const window = new SourceWindow(source, opened);
    expect(await groupsOf((offset) => (n) => window.at(offset, n))).toEqual(await groupsOf((offset) => (n) => archive.subarray(offset, offset + n)));
    expect(reads).toBeGreaterThan(3);
    expect(targets.size).toBeLessThan(reads);
  });
});
