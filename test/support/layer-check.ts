import { expect } from 'vitest';
import { isOciTarError } from '@oci-tar/core';
import type { LayerInput } from '../../packages/core/src/layer/input.ts';
import { mergeLayers } from '../../packages/core/src/layer/merge.ts';
import type { MergeOptions } from '../../packages/core/src/layer/plan.ts';
import { readTree } from '../../packages/core/src/layer/read-tree.ts';
import type { MergedTree } from '../../packages/core/src/layer/tree.ts';
import { applyLayers, contradicts, shown } from './layer-model.ts';
import type { ModelNode, ModelTree } from './layer-model.ts';
import { randomImage } from './layer-random.ts';
import { layerOf, tarOf, unpackedTree } from './layer-tars.ts';

export async function merged(layers: readonly LayerInput[], options: MergeOptions): Promise<Uint8Array> {
  const runs: Uint8Array[] = [];
  for await (const run of mergeLayers(layers, options)) runs.push(run);
  return Buffer.concat(runs);
}

/** A layer that can be read anew, and one that cannot, with nothing between that files would need. */
export const source = (bytes: Uint8Array): LayerInput => ({ read: () => once(bytes) });
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Of the tree that is read the same text as of the model. */
function shownTree(tree: MergedTree): string {
  const nodes: ModelTree = new Map();
  const root = tree.get('');
  if (root?.layer !== undefined) nodes.set('', { type: 'directory', uid: root.uid });
  for (const { path, type, uid } of tree.nodes()) if (type !== 'hardlink') nodes.set(path, { type: type as ModelNode['type'], uid });
  for (const { path, type, linkname } of tree.nodes()) {
    const target = nodes.get(linkname);
    if (type === 'hardlink' && target !== undefined) nodes.set(path, target);
  }
  return shown(nodes);
}

export async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    return isOciTarError(error) ? error.code : String(error);
  }
}

/** Random image number `seed` in two passes, now and then also as a tree and by the strict rules. */
export async function checkTwoPasses(seed: number): Promise<void> {
  const image = randomImage(seed);
  const expected = applyLayers(image);
  const text = shown(expected);
  const tars = image.map(tarOf).toReversed();
  const tell = (how: string) => `seed ${seed}, ${how}: ${JSON.stringify(image)}`;
  const lenient: MergeOptions = { duplicates: 'last', danglingLinks: 'drop' };
  const output = shown(unpackedTree(await merged(tars.map(source), lenient), true));
  // Only where it fails: the message would cost more than the check.
  if (output !== text) expect(output, tell('two passes')).toBe(text);
  if (seed % 4 === 0) {
    const tree = shownTree(await readTree(tars.map(source), lenient));
    if (tree !== text) expect(tree, tell('tree')).toBe(text);
  }
  if (seed % 8 === 1) {
    const isWrong = image.some(contradicts) || [...expected.values()].some(({ type }) => type === 'dangling');
    expect(await failure(merged(tars.map(source), {})), tell('strict')).toBe(isWrong ? 'INVALID_TAR' : 'none');
  }
}

/** The same in one pass, which refuses layers that contradict themselves. */
export async function checkOnePass(seed: number): Promise<void> {
  const image = randomImage(seed);
  const expected = applyLayers(image);
  const text = shown(expected);
  const tars = image.map(tarOf).toReversed();
  const tell = `seed ${seed}, one pass: ${JSON.stringify(image)}`;
  if (image.some(contradicts)) {
    expect(await failure(merged(tars.map(once), { danglingLinks: 'drop' })), tell).toBe('INVALID_TAR');
    return;
  }
  const output = shown(unpackedTree(await merged(tars.map(once), { danglingLinks: 'drop' }), false));
  if (output !== text) expect(output, tell).toBe(text);
  if (seed % 8 !== 1) return;
  const isWrong = [...expected.values()].some(({ type }) => type === 'dangling');
  expect(await failure(merged(tars.map(once), {})), tell).toBe(isWrong ? 'INVALID_TAR' : 'none');
}

/** Some upper layers of the image merged into one that is put on the others. */
export async function checkOnBase(seed: number): Promise<void> {
  const image = randomImage(seed);
  const split = 1 + (seed % 3);
  const tell = `seed ${seed}, on a base of ${split}: ${JSON.stringify(image)}`;
  const base = image.slice(0, split);
  const tar = await merged(image.slice(split).map(tarOf).toReversed().map(source), { duplicates: 'last', danglingLinks: 'drop', base: base.map(tarOf).toReversed().map(source) });
  const layer = layerOf(tar);
  if (contradicts(layer)) expect.fail(`${tell}: it says two things of one path`);
  const output = shown(applyLayers([...base, layer]));
  const text = shown(applyLayers(image));
  if (output !== text) expect(`${JSON.stringify(layer)}\n${output}`, tell).toBe(text);
}
