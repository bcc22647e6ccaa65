import { describe, expect, it } from 'vitest';
import { collect } from '@oci-tar/core';
import { diffLayers } from '../../packages/core/src/layer/diff.ts';
import { tarLayerView } from '../../packages/core/src/layer/find-in-tar.ts';
import { findInLayers } from '../../packages/core/src/layer/find.ts';
import { readTree } from '../../packages/core/src/layer/read-tree.ts';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import fc from '../support/fast-check.ts';

const paths = ['a', 'b', 'd', 'd/a', 'd/b', 'd/b/c'];
const data = fc.constantFrom('', 'xx', 'yy', 'zzz');
const entry: fc.Arbitrary<PackEntry> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...paths), data, fc.constantFrom(0o644, 0o755)).map(([path, text, mode]) => ({ path, type: 'file' as const, size: text.length, data: Buffer.from(text), mode })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...paths), fc.constantFrom(...paths)).map(([path, linkname]) => ({ path, type: 'hardlink' as const, linkname })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...paths), fc.constantFrom('a', 'b')).map(([path, linkname]) => ({ path, type: 'symlink' as const, linkname })) },
  { weight: 1, arbitrary: fc.constantFrom('d/', 'd/b/').map((path) => ({ path, type: 'directory' as const })) },
  { weight: 1, arbitrary: fc.constantFrom('.wh.a', '.wh.d', 'd/.wh.b', 'd/.wh..wh..opq').map((path) => ({ path, type: 'file' as const })) },
);
const layer = fc.uniqueArray(entry, { maxLength: 5, selector: ({ path }) => path.replace(/\/$/, '') });

/** Each path of some layers with all that a difference is made of. */
async function model(layers: readonly Uint8Array[]): Promise<ReadonlyMap<string, string> | undefined> {
  const once = (bytes: Uint8Array) => async function* () {
    yield bytes;
  };
  try {
    const tree = await readTree(layers.map((bytes) => ({ read: once(bytes) })));
    const views = layers.map((bytes) => tarLayerView(once(bytes)));
    const found = new Map<string, string>();
    for (const { path } of tree.nodes()) {
      const at = await findInLayers(views, path);
      if (at.kind !== 'found') throw new Error(`${path} is listed and not found`);
      const { entry: item } = at;
      const bytes = item?.type === 'file' ? Buffer.from(await collect(item.read(), 100, path)).toString() : '';
      const mode = item?.type === 'symlink' ? 0 : (item?.mode ?? 0o755);
      found.set(path, `${item?.type ?? 'directory'} ${mode} ${item?.type === 'symlink' ? item.linkname : ''} ${bytes}`);
    }
    return found;
  } catch (error) {
    // What the image-spec forbids.
    if (isOciTarError(error, 'INVALID_TAR')) return undefined;
    throw error;
  }
}

describe('the difference of two stacks of layers', () => {
  it('is that of their files, whatever they share', async () => {
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { maxLength: 2 }), fc.array(layer, { maxLength: 2 }), fc.array(layer, { maxLength: 2 }), async (before, after, shared) => {
        const tars = (layers: readonly (readonly PackEntry[])[]) => Promise.all(layers.map((entries) => collect(pieceBytes(pack(entries)), 1 << 20, 'a layer')));
        const [a, b, base] = [await tars(before), await tars(after), await tars(shared)];
        const [one, other] = [await model([...a, ...base]), await model([...b, ...base])];
        fc.pre(one !== undefined && other !== undefined);
        const reads = new Map<Uint8Array, number>();
        const inputs = (layers: readonly Uint8Array[]) =>
          layers.map((bytes) => ({
            async *read() {
              reads.set(bytes, (reads.get(bytes) ?? 0) + 1);
              yield bytes;
            },
          }));
        const found = await diffLayers({ before: inputs(a), after: inputs(b), shared: inputs(base) });
        const expected = [...new Set([...one.keys(), ...other.keys()])].sort().flatMap((path) => {
          const [old, now] = [one.get(path), other.get(path)];
          if (old === now) return [];
          return [`${old === undefined ? 'added' : now === undefined ? 'removed' : 'changed'} ${path}`];
        });
        changes += expected.length;
        expect(found.map(({ kind, path }) => `${kind} ${path}`)).toEqual(expected);
        for (const count of reads.values()) expect(count).toBe(1);
      }),
      { numRuns: 120 },
    );
    expect(changes).toBeGreaterThan(50);
  });

  it('of nothing but shared layers is nothing, and none of them is read', async () => {
    const never = {
      async *read() {
        yield await Promise.reject(new Error('read'));
      },
    };
    expect(await diffLayers({ before: [], after: [], shared: [never] })).toEqual([]);
    await expect(diffLayers({ before: [never], after: [], shared: [] })).rejects.toThrow('read');
  });
});
