import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codecByName, createImage, flattenImage, localStore, mergedTar } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { expect, it } from 'vitest';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { directory, file, hardlink, opaque, symlink, whiteout } from '../support/layers.ts';
import { expectVerified, exported, freshStore, treeOf } from './files.ts';
import { here } from './images.ts';
import { containerd } from './peers/containerd.ts';
import { dockerd } from './peers/dockerd.ts';
import { describeWith } from './peers/peer.ts';
import { run } from './peers/tool.ts';
import { umoci } from './peers/umoci.ts';

/** Unpacked, not configured: seconds instead of minutes. perl-base has hardlinks, passwd setuid files, ca-certificates names that are not ASCII. */
const packages = ['base-files', 'base-passwd', 'libc6', 'dash', 'passwd', 'perl-base', 'ca-certificates'];

/** Adds, changes, takes away, and links across layers. */
const second: readonly PackEntry[] = [
  file('etc/added', 'added\n', { mode: 0o640, uid: 12, gid: 34, mtime: 1_600_000_000 }),
  file('etc/debian_version', 'changed\n', { mtime: 1_600_000_001 }),
  whiteout('etc/issue'),
  whiteout('usr/share/doc'),
  directory('srv', { mtime: 4 }),
  directory('srv/a', { mode: 0o2750, uid: 1000, gid: 1000, mtime: 5 }),
  file('srv/a/setuid', '#!/bin/sh\n', { mode: 0o6755, uid: 1000, gid: 1000, mtime: 6 }),
  { ...hardlink('srv/a/same', 'srv/a/setuid'), mode: 0o6755, uid: 1000, gid: 1000, mtime: 6 },
  { ...symlink('srv/link', '/nowhere/at/all'), mode: 0o777, uid: 7, gid: 8, mtime: 9 },
  { path: 'srv/fifo', type: 'fifo', mode: 0o622, uid: 3, mtime: 10 },
];
/** Empties a directory, puts a file in the place of another, and takes a name of a file with two away. */
const third: readonly PackEntry[] = [
  directory('etc/pam.d', { mtime: 20 }),
  opaque('etc/pam.d'),
  file('etc/pam.d/only', 'only\n', { mtime: 21 }),
  whiteout('usr/share/perl-base'),
  file('usr/share/bug', 'no directory\n', { mtime: 23 }),
  whiteout('srv/a/setuid'),
  file('etc/added', 'again\n', { mtime: 22 }),
];

async function codename(): Promise<string> {
  return /^VERSION_CODENAME="?(\w+)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? 'stable';
}

async function tarAt(path: string, entries: readonly PackEntry[]): Promise<string> {
  await pipeline(Readable.from(pieceBytes(pack(entries))), createWriteStream(path));
  return path;
}

/** An image of three layers over the Debian tar, or over a small one. */
async function makeImage(store: ImageStore, own: string, base: string): Promise<void> {
  await createImage({ target: store, name: 'layered:1', layers: [base, await tarAt(join(own, 'second.tar'), second), await tarAt(join(own, 'third.tar'), third)], platform: here, codec: codecByName('gzip'), level: 1 });
}

/** Each path with type, mode, owner, time, size, link and number of names. */
const linesOf = (tree: string) => treeOf(tree, { owners: true });

async function digestsOf(tree: string): Promise<string> {
  return run('sh', ['-c', 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum', 'sh', tree]);
}

describeWith('a flattened Debian image, with layers that add, change, remove and hide', { ...umoci, tools: [...umoci.tools, 'mmdebstrap', 'tar'], root: true }, (lent) => {
  it('unpacks to the same tree as umoci makes of the original, also with its base kept, and as a plain tar', async ({ skip }) => {
    const { peer, directory: own } = lent();
    const base = join(own, 'root.tar');
    const args = ['--quiet', '--mode=root', '--variant=extract', `--include=${packages.join(',')}`, await codename(), base];
    await run('mmdebstrap', args).catch((error: unknown) => skip(`mmdebstrap cannot make a root here: ${String(error).slice(-300)}`));
    const place = join(own, 'store');
    const store = await localStore(place);
    await makeImage(store, own, base);
    const request = { source: store, reference: 'layered:1', target: store, codec: codecByName('gzip'), level: 1 };
    await flattenImage({ ...request, name: 'docker.io/library/flat:1' });
    await flattenImage({ ...request, name: 'docker.io/library/based:1', keepBase: 1 });
    await expectVerified(store);

    const unpacked = async (name: string): Promise<string> => {
      const tree = join(own, name);
      await peer('raw', 'unpack', '--image', `${place}:docker.io/library/${name}:1`, tree);
      return tree;
    };
    const original = await unpacked('layered');
    const lines = await linesOf(original);
    const digests = await digestsOf(original);
    expect(lines.length).toBeGreaterThan(500);
    expect(lines.some((line) => line.includes('2 links'))).toBe(true);
    for (const name of ['flat', 'based']) {
      const tree = await unpacked(name);
      expect(await linesOf(tree)).toEqual(lines);
      expect(await digestsOf(tree)).toBe(digests);
    }

    const tar = join(own, 'merged.tar');
    await pipeline(Readable.from(mergedTar({ source: store, reference: 'layered:1' })), createWriteStream(tar));
    const extracted = join(own, 'extracted');
    await mkdir(extracted);
    await run('tar', ['--extract', '--numeric-owner', '--same-permissions', '--delay-directory-restore', '--file', tar, '--directory', extracted]);
    expect(await linesOf(extracted)).toEqual(lines);
    expect(await digestsOf(extracted)).toBe(digests);
  }, 110_000);
});

/** A base that the upper layers fit. */
const small: readonly PackEntry[] = [
  directory('etc', { mtime: 1 }),
  directory('usr', { mtime: 1 }),
  directory('usr/share', { mtime: 1 }),
  ...['etc/issue', 'etc/debian_version', 'etc/pam.d/login', 'usr/share/doc/x', 'usr/share/perl-base/x', 'usr/share/bug/x', 'usr/share/kept'].map((path) => file(path)),
];

async function flattened(own: string): Promise<{ readonly store: ImageStore; readonly archive: string; readonly tree: readonly string[] }> {
  const store = await freshStore(own);
  await makeImage(store, own, await tarAt(join(own, 'small.tar'), small));
  await flattenImage({ source: store, reference: 'layered:1', target: store, name: 'docker.io/library/flat:1' });
  await flattenImage({ source: store, reference: 'layered:1', target: store, name: 'docker.io/library/based:1', keepBase: 1 });
  const tar = join(own, 'expected.tar');
  await pipeline(Readable.from(mergedTar({ source: store, reference: 'layered:1' })), createWriteStream(tar));
  const root = join(own, 'expected');
  await mkdir(root);
  await run('tar', ['--extract', '--numeric-owner', '--same-permissions', '--delay-directory-restore', '--file', tar, '--directory', root]);
  return { store, archive: await exported(own, store, ['layered:1', 'flat:1', 'based:1']), tree: timeless(await linesOf(root)) };
}

/** Of directories no time: where something is taken away from one, or put into it, each runtime leaves it another. */
const timeless = (lines: readonly string[]) => lines.map((line) => line.replace(/^(\S+\td \d+ \S+) \d+/, '$1'));

describeWith('containerd and flattened images', containerd, (lent) => {
  it.each(['flat', 'based'])('mounts %s, with the files of the merged tar', async (name) => {
    const { peer, directory: own } = lent();
    const dir = join(own, name);
    await mkdir(dir);
    const { archive, tree } = await flattened(dir);
    await peer.ctr('images', 'import', '--snapshotter', 'native', archive);
    const mountPoint = join(dir, 'mounted');
    await mkdir(mountPoint);
    await peer.ctr('images', 'mount', '--snapshotter', 'native', `docker.io/library/${name}:1`, mountPoint);
    try {
      expect(timeless(await linesOf(mountPoint))).toEqual(tree);
    } finally {
      await peer.ctr('images', 'unmount', mountPoint);
    }
  });
});

describeWith('docker and flattened images', dockerd, (lent) => {
  it.each(['flat', 'based'])('loads %s and exports the files of the merged tar', async (name) => {
    const { peer, directory: own } = lent();
    const dir = join(own, name);
    await mkdir(dir);
    const { archive, tree } = await flattened(dir);
    expect(await peer.docker('load', '--input', archive)).toContain(`${name}:1`);
    const container = (await peer.docker('create', `${name}:1`, '/none')).trim();
    const root = join(dir, 'exported');
    await mkdir(root);
    await peer.docker('export', '--output', join(dir, 'exported.tar'), container);
    await run('tar', ['--extract', '--numeric-owner', '--same-permissions', '--file', join(dir, 'exported.tar'), '--directory', root]);
    await peer.docker('rm', container);
    // What docker mounts into every container.
    const mounted = /^(\.dockerenv|dev|proc|sys|etc\/(hosts|hostname|mtab|resolv\.conf))(\/|\t)/;
    const plain = (lines: readonly string[]) => timeless(lines.filter((line) => !mounted.test(line)));
    expect(plain(await linesOf(root))).toEqual(plain(tree));
  });
});
