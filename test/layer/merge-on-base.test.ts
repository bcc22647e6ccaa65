import { test } from 'vitest';
import { checkOnBase } from '../support/layer-check.ts';

const images = 10_000;

test(`the upper layers of an image, merged into one, do to the lower ones what they did, on ${images} random images`, { timeout: 180_000 }, async () => {
  for (let seed = 0; seed < images; seed++) await checkOnBase(seed);
});
