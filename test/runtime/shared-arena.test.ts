import { describe, expect, it } from 'vitest';
import { SharedArena } from '../../packages/core/src/runtime/node/shared-arena.ts';

describe('shared memory in pieces', () => {
  it('hands out what is free, the lowest place first, and never two pieces in one place', () => {
    const arena = new SharedArena(1000);
    const [first, second, third] = [arena.take(300), arena.take(300), arena.take(400)];
    expect([first.start, second.start, third.start]).toEqual([0, 300, 600]);
    arena.give(second);
    expect(arena.take(200).start).toBe(300);
    expect(arena.take(100).start).toBe(500);
    arena.give(first);
    expect(arena.take(300)).toMatchObject({ start: 0, bytes: { length: 300, byteOffset: 0 } });
  });

  it('gives memory apart where it is full, which need not be given back', () => {
    const arena = new SharedArena(100);
    const all = arena.take(100);
    const more = arena.take(1);
    expect(more.start).toBeUndefined();
    expect(more.bytes.buffer).not.toBe(arena.memory);
    arena.give(more);
    expect(arena.take(1).start).toBeUndefined();
    arena.give(all);
    expect(arena.take(100).start).toBe(0);
  });

  it('has pieces of nothing', () => {
    const arena = new SharedArena(100);
    const before = arena.take(0);
    const all = arena.take(100);
    const after = arena.take(0);
    expect(all.start).toBe(0);
    arena.give(before);
    expect(arena.take(1).start).toBeUndefined();
    arena.give(all);
    expect(arena.take(100).start).toBe(0);
    arena.give(after);
    expect(arena.take(1).start).toBeUndefined();
  });
});
