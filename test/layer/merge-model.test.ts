import { describe, expect, test } from 'vitest';
import { checkTwoPasses } from '../support/layer-check.ts';
import { applyLayers, contradicts } from '../support/layer-model.ts';
import { randomImage } from '../support/layer-random.ts';

const images = 50_000;

describe('merging layers', () => {
  test(`gives what applying them one by one gives, in two passes and as a tree, on ${images} random images`, { timeout: 120_000 }, async () => {
    for (let seed = 0; seed < images; seed++) await checkTwoPasses(seed);
  });

  test('is tried on images of all kinds', () => {
    const count = { links: 0, dangling: 0, contradictory: 0, opaqueRoot: 0, nodes: 0 };
    for (let seed = 0; seed < 5_000; seed++) {
      const image = randomImage(seed);
      const tree = applyLayers(image);
      const inodes = new Set(tree.values());
      const others = [...tree.values()].filter(({ type }) => type !== 'implied');
      if (new Set(others).size < others.length && inodes.size > 0) count.links += 1;
      if (others.some(({ type }) => type === 'dangling')) count.dangling += 1;
      if (image.some(contradicts)) count.contradictory += 1;
      if (image.some((layer) => layer.some(({ name }) => /^[./]*\.wh\.\.wh\.\.opq$/.test(name)))) count.opaqueRoot += 1;
      count.nodes += tree.size;
    }
    expect(count.links).toBeGreaterThan(250);
    expect(count.dangling).toBeGreaterThan(250);
    expect(count.contradictory).toBeGreaterThan(250);
    expect(count.opaqueRoot).toBeGreaterThan(250);
    expect(count.nodes).toBeGreaterThan(10_000);
  });
});
