import { json, sampleImage } from './docker-archives.ts';
import type { Entry } from './docker-archives.ts';

/** A sound archive of one image with two layers, to be spoiled. */
export const one = await sampleImage();

const [lowest, highest] = one.layers.map(({ plain }) => plain);
if (lowest === undefined || highest === undefined) throw new Error('the sample has two layers');
export const lower: Uint8Array = lowest;
export const upper: Uint8Array = highest;

export const diffIDs: readonly string[] = one.layers.map(({ diffID }) => `sha256:${diffID}`);

export const manifest = (value: unknown): Entry => ({ name: 'manifest.json', body: value instanceof Uint8Array ? value : json(value) });

export const item = { Config: 'c.json', RepoTags: ['bad:1'], Layers: ['lower.tar', 'upper.tar'] };

export const good: readonly Entry[] = [manifest([item]), { name: 'c.json', body: one.config }, { name: 'lower.tar', body: lower }, { name: 'upper.tar', body: upper }];

/** The good archive with some entries in the place of the ones of their names. */
export function but(...changed: readonly Entry[]): readonly Entry[] {
  const names = new Set(changed.map(({ name }) => name));
  return [...good.filter(({ name }) => !names.has(name)), ...changed];
}

export const without = (name: string): readonly Entry[] => good.filter((entry) => entry.name !== name);

export const asItem = (change: object): readonly Entry[] => but(manifest([{ ...item, ...change }]));

/** The config with other fields. */
export const changedConfig = (change: object): Uint8Array => json({ ...JSON.parse(new TextDecoder().decode(one.config)), ...change });

export const withConfig = (change: object): readonly Entry[] => but({ name: 'c.json', body: changedConfig(change) });
