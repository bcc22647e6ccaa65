import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dedupStore, verifyImages } from '@oci-tar/core';
import { expect, it } from 'vitest';
import { Child, ageOwnerless, inFolder, random, scriptOf, writeArchive } from '../crash/processes.ts';
import { listed } from '../support/images.ts';
import { seed } from '../support/seed.ts';

const kills = 8;

const importing = `
const [store, archive] = process.argv.slice(2);
const target = core.dedupStore(store, { mayBeNew: true });
console.log('begins');
const source = await core.openArchive(archive);
await core.importImages(source, { target });
console.log('imported');
await target.close();
`;

it('an import that is killed at any moment leaves a store that verifies, and a later one and a prune leave no trace of it', { timeout: 180_000 }, async () => {
  await inFolder(async (folder) => {
    const script = await scriptOf(folder, importing);
    const archive = join(folder, 'in.tar');
    const layers = Array.from({ length: 6 }, (_, i) => Object.fromEntries(Array.from({ length: 8 }, (__, j) => [`file-${j}`, `${i % 3} ${j} `.repeat(500)])));
    await writeArchive(archive, { name: 'docker.io/library/kept:1', layers: layers.slice(0, 1) });
    const place = join(folder, 'store');
    const first = new Child(script, place, archive);
    expect(await first.exited).toBe(0);
    await writeArchive(archive, { name: 'docker.io/library/new:1', layers });
    const start = performance.now();
    const whole = new Child(script, join(folder, 'other'), archive);
    expect(await whole.line()).toBe('begins');
    const begun = performance.now() - start;
    expect(await whole.exited).toBe(0);
    const time = performance.now() - start - begun;
    const expected = readdirSync(join(folder, 'other/dedup/payloads/sha256')).length;

    const next = random(seed);
    for (let i = 0, killed = 0; i < kills || killed === 0; i++) {
      const child = new Child(script, place, archive);
      expect(await child.line()).toBe('begins');
      if ((await child.killAfter(time * (((i % kills) + next()) / kills))) === 'killed') killed += 1;
      const store = dedupStore(place);
      expect((await verifyImages(store, await listed(store))).problems, `OCI_TAR_SEED=${seed}, kill ${i}`).toEqual([]);
      await store.remove?.('new:1').catch(() => {});
      if (i % 2 === 0) await store.prune?.();
      await store.close();
    }
    await ageOwnerless(place);
    expect(await new Child(script, place, archive).exited).toBe(0);
    const store = dedupStore(place);
    await store.prune?.();
    expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
    expect(readdirSync(join(place, 'dedup/payloads/sha256'))).toHaveLength(expected);
    expect(readdirSync(join(place, 'dedup/recipes/sha256'))).toHaveLength(3);
    await store.close();
    expect(readdirSync(place).toSorted()).toEqual(['blobs', 'dedup', 'index.json', 'oci-layout']);
  });
});
