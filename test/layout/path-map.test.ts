import { describe, expect, it } from 'vitest';
import { PathMap } from '../../packages/core/src/layout/path-map.ts';
import fc from '../support/fast-check.ts';

const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

/** Paths of blobs, what looks like one, and others. */
const path = fc.oneof(
  hex.map((name) => `blobs/sha256/${name}`),
  hex.map((name) => `blobs/sha256/${name.toUpperCase()}`),
  hex.map((name) => `blobs/sha512/${name}`),
  hex.map((name) => `folder/blobs/sha256/${name}`),
  hex.map((name) => `blobs/sha256/${name.slice(1)}g`),
  hex.map((name) => Buffer.from(name, 'hex').toString('latin1')),
  fc.string(),
);

describe('a map by paths', () => {
  it('holds what a plain map does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(path, fc.nat())), path, (entries, other) => {
        const model = new Map(entries);
        const map = new PathMap<number>();
        for (const [name, value] of entries) map.set(name, value);
        expect(new Map(map.entries())).toEqual(model);
        expect([...map.keys()].sort()).toEqual([...model.keys()].sort());
        for (const name of [...model.keys(), other]) expect([map.has(name), map.get(name)]).toEqual([model.has(name), model.get(name)]);
      }),
    );
  });
});
