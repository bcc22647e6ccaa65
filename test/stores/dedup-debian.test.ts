import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codecByName, copyImage, createImage, dedupStore, verifyImages } from '@oci-tar/core';
import { expect, it } from 'vitest';
import { digestsOf, freshStore } from '../interop/files.ts';
import { describeWith } from '../interop/peers/peer.ts';
import { run } from '../interop/peers/tool.ts';
import { linux, listed } from '../support/images.ts';

const packages = ['base-files', 'libc6', 'dash', 'coreutils', 'perl-base'];

async function codename(): Promise<string> {
  return /^VERSION_CODENAME="?(\w+)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? 'stable';
}

describeWith('a Debian system and the same one a little later', { tools: ['mmdebstrap', 'tar'], root: true, start: async () => undefined }, (lent) => {
  it('take little more room than one of them, and come out with their digests', async ({ skip }) => {
    const { directory } = lent();
    const tar = join(directory, 'root.tar');
    const args = ['--quiet', '--mode=root', '--variant=extract', `--include=${packages.join(',')}`, await codename(), tar];
    await run('mmdebstrap', args).catch((error: unknown) => skip(`mmdebstrap cannot make a root here: ${String(error).slice(-300)}`));
    const root = join(directory, 'root');
    await mkdir(root);
    await run('tar', ['--extract', '--numeric-owner', '--same-permissions', '--file', tar, '--directory', root]);
    await appendFile(join(root, 'etc/debian_version'), 'later\n');
    await rm(join(root, 'usr/share/doc'), { recursive: true });

    const local = await freshStore(directory);
    const images = [['debian:1', tar, 'gzip'], ['debian:2', root, 'gzip'], ['debian:2-zstd', root, 'zstd']] as const;
    for (const [name, layer, codec] of images) await createImage({ target: local, name, layers: [layer], platform: linux, codec: codecByName(codec), level: codec === 'gzip' ? 1 : 3 });
    const store = dedupStore(join(directory, 'dedup'), { mayBeNew: true });
    const [sizes, times] = [[] as number[], [] as number[]];
    for (const [name] of images) {
      const start = performance.now();
      await copyImage({ source: local, target: store, reference: name });
      times.push(performance.now() - start);
      sizes.push((await store.usage()).storedBytes);
    }
    const { logicalBytes, storedBytes, files, layersTakenApart } = await store.usage();
    console.log(`dedup of three Debian images: ${(logicalBytes / 1e6).toFixed(1)} MB in ${(storedBytes / 1e6).toFixed(1)} MB, ${files} files; after each: ${sizes.map((size) => (size / 1e6).toFixed(1)).join(', ')} MB, in ${times.map((time) => (time / 1e3).toFixed(1)).join(', ')} s`);
    expect(layersTakenApart).toBe(3);
    expect(sizes[2]).toBeLessThan((sizes[0] ?? 0) * 1.1);
    expect(storedBytes).toBeLessThan(logicalBytes * 0.5);
    expect(await digestsOf(store)).toEqual(await digestsOf(local));
    expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
    await store.close();
  }, 110_000);
});
