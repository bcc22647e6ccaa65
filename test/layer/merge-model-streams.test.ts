import { test } from 'vitest';
import { checkOnePass } from '../support/layer-check.ts';

const images = 50_000;

test(`merging streams in one pass gives what applying the layers one by one gives, on ${images} random images`, { timeout: 120_000 }, async () => {
  for (let seed = 0; seed < images; seed++) await checkOnePass(seed);
});
