import { createReadStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codecByName, createImage, importStream } from '@oci-tar/core';
import { expect, it } from 'vitest';
import { digestsOf, expectVerified, exported, freshStore, treeOf } from './files.ts';
import { here } from './images.ts';
import { containerd } from './peers/containerd.ts';
import { describeWith } from './peers/peer.ts';
import { run } from './peers/tool.ts';

/** Unpacked, not configured: seconds instead of minutes. ca-certificates has names that are not ASCII, passwd setuid files and groups. */
const packages = ['base-files', 'base-passwd', 'libc6', 'dash', 'coreutils', 'passwd', 'perl-base', 'ca-certificates'];

/** The release that this machine runs, whose keys it has. */
async function codename(): Promise<string> {
  return /^VERSION_CODENAME="?(\w+)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? 'stable';
}

describeWith('the root of a Debian system', { ...containerd, tools: [...containerd.tools, 'mmdebstrap'] }, (lent) => {
  it('is made an image from a tar and from a directory, goes through an archive, and ctr unpacks the same files', async ({ skip }) => {
    const { peer, directory } = lent();
    const tar = join(directory, 'root.tar');
    const args = ['--quiet', '--mode=root', '--variant=extract', `--include=${packages.join(',')}`, await codename(), tar];
    await run('mmdebstrap', args).catch((error: unknown) => skip(`mmdebstrap cannot make a root here: ${String(error).slice(-300)}`));
    const root = join(directory, 'root');
    await mkdir(root);
    await run('tar', ['--extract', '--numeric-owner', '--same-permissions', '--file', tar, '--directory', root]);

    const store = await freshStore(directory);
    const fromTar = await createImage({ target: store, name: 'debian:tar', layers: [tar], platform: here, codec: codecByName('gzip'), level: 1 });
    const fromDirectory = await createImage({ target: store, name: 'debian:directory', layers: [root], platform: here, codec: codecByName('zstd') });
    await expectVerified(store);

    const archive = await exported(directory, store, ['debian:tar', 'debian:directory']);
    const second = await freshStore(directory);
    await importStream(createReadStream(archive), { target: second });
    expect(await digestsOf(second)).toEqual(await digestsOf(store));

    await peer.ctr('images', 'import', '--snapshotter', 'native', archive);
    expect([...(await peer.images()).values()].toSorted()).toEqual([fromTar, fromDirectory].map(({ descriptor }) => descriptor.digest).toSorted());
    // A tar is kept as it is. A directory's files get one owner, and no time after the image's, so that it gives the same image everywhere.
    for (const [name, owners] of [['docker.io/library/debian:tar', true], ['docker.io/library/debian:directory', false]] as const) {
      const mountPoint = join(directory, 'mounted');
      await mkdir(mountPoint, { recursive: true });
      await peer.ctr('images', 'mount', '--snapshotter', 'native', name, mountPoint);
      try {
        const tree = await treeOf(mountPoint, { owners });
        expect(tree.length).toBeGreaterThan(1000);
        expect(tree).toEqual(await treeOf(root, { owners }));
      } finally {
        await peer.ctr('images', 'unmount', mountPoint);
      }
    }
  }, 110_000);
});
