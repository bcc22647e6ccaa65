import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codecByName, createImage, localStore, unpackImage } from '@oci-tar/core';
import type { WriteReport } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { directory, file, hardlink, symlink } from '../security/support.ts';
import { root } from '../workspace/source-files.ts';
import { here } from './images.ts';
import { describeWith } from './peers/peer.ts';
import { run } from './peers/tool.ts';
import { umoci } from './peers/umoci.ts';

/** Unpacked, not configured: seconds instead of minutes. passwd has setuid files and groups, ca-certificates names that are not ASCII. */
const packages = ['base-files', 'base-passwd', 'libc6', 'dash', 'passwd', 'ca-certificates'];
const image = 'example.org/unpack/debian:1';

/** A user that owns nothing. */
const nobody = 65_534;

/** What the second and the third layer do to the Debian one. */
const upper: readonly PackEntry[] = [
  file('etc/added', 'added\n', { mode: 0o640, uid: 12, gid: 34, mtime: 1_600_000_000 }),
  file('etc/debian_version', 'changed\n', { mtime: 1_600_000_001 }),
  file('etc/.wh.issue', ''),
  file('usr/share/.wh.doc', ''),
  directory('srv/', { mtime: 4 }),
  directory('srv/closed/', { mode: 0o700, uid: 1000, gid: 1000, mtime: 5 }),
  file('srv/closed/setuid', '#!/bin/sh\n', { mode: 0o6755, uid: 1000, gid: 1000, mtime: 6 }),
  { ...hardlink('srv/closed/same', 'srv/closed/setuid'), mode: 0o6755, uid: 1000, gid: 1000, mtime: 6 },
  { ...symlink('srv/link', '/nowhere/at/all'), mode: 0o777, uid: 7, gid: 8, mtime: 9 },
  { path: 'srv/fifo', type: 'fifo', mode: 0o622, uid: 3, mtime: 10 },
  { path: 'srv/null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666, mtime: 11 },
  { path: 'srv/disk', type: 'block-device', devmajor: 259, devminor: 1000, mode: 0o660, gid: 6, mtime: 12 },
];
const top: readonly PackEntry[] = [directory('etc/pam.d/', { mtime: 20 }), file('etc/pam.d/.wh..wh..opq', ''), file('etc/pam.d/only', 'only\n', { mtime: 21 }), file('etc/added', 'again\n', { mtime: 22 })];

let shared = '';
let bundle = '';

async function codename(): Promise<string> {
  return /^VERSION_CODENAME="?(\w+)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? 'stable';
}

async function tarAt(path: string, entries: readonly PackEntry[]): Promise<string> {
  await pipeline(Readable.from(pieceBytes(pack(entries))), createWriteStream(path));
  return path;
}

/** The image in a store, and the command as a file that any user may run. */
beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), 'oci-tar-unpack-'));
  await chmod(shared, 0o755);
  const { files } = await bundleCli();
  bundle = join(shared, 'cli/dist');
  await mkdir(bundle, { recursive: true });
  for (const [name, text] of files) await writeFile(join(bundle, name), text);
  await copyFile(join(root, 'packages/cli/package.json'), join(shared, 'cli/package.json'));
}, 180_000);
afterAll(() => rm(shared, { recursive: true, force: true }));

/** A line for each path, with all that can be told of it; of a directory the size and the links are the file system's own. */
async function linesOf(tree: string, owners = true): Promise<readonly string[]> {
  const owner = owners ? '%U:%G ' : '';
  const common = `%P %y %m ${owner}%T@`;
  // Without the root: umoci leaves it the time of the unpacking.
  const found = await run('find', [tree, '-mindepth', '1', '(', '-type', 'd', '-printf', `${common}\\n`, ')', '-o', '-printf', `${common} %s %n %l\\n`]);
  return found.split('\n').toSorted();
}

async function digestsOf(tree: string): Promise<string> {
  return run('sh', ['-c', 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum', 'sh', tree]);
}

async function devicesOf(tree: string): Promise<string> {
  return run('sh', ['-c', 'cd "$1" && find . "(" -type c -o -type b ")" -print0 | sort -z | xargs -0 -r stat -c "%n %F %t:%T"', 'sh', tree]);
}

describeWith('the root filesystem of a Debian image, with layers that add, change, remove and hide', { ...umoci, tools: [...umoci.tools, 'mmdebstrap'], root: true }, (lent) => {
  const store = () => join(shared, 'store');
  const ours = () => join(lent().directory, 'ours');

  it('is unpacked to the same files as umoci unpacks it to', async ({ skip }) => {
    const { peer, directory: own } = lent();
    const tar = join(own, 'root.tar');
    const args = ['--quiet', '--mode=root', '--variant=extract', `--include=${packages.join(',')}`, await codename(), tar];
    await run('mmdebstrap', args).catch((error: unknown) => skip(`mmdebstrap cannot make a root here: ${String(error).slice(-300)}`));
    const place = await localStore(store());
    await createImage({ target: place, name: image, layers: [tar, await tarAt(join(own, 'upper.tar'), upper), await tarAt(join(own, 'top.tar'), top)], platform: here, codec: codecByName('gzip') });
    const report = await unpackImage({ source: place, reference: image, directory: ours() });
    expect(report.leftOut).toEqual([]);
    expect(report.files).toBeGreaterThan(300);
    const theirs = join(own, 'theirs');
    await peer('raw', 'unpack', '--image', `${store()}:${image}`, theirs);
    expect(await linesOf(ours())).toEqual(await linesOf(theirs));
    expect(await digestsOf(ours())).toBe(await digestsOf(theirs));
    expect(await devicesOf(ours())).toBe(await devicesOf(theirs));
  });

  it('is unpacked by a user without rights: the same but for owners and devices, and these are told of', async () => {
    const home = join(shared, 'home');
    await mkdir(home);
    await chown(home, nobody, nobody);
    const child = spawn(process.execPath, [join(bundle, 'main.js'), 'unpack', image, join(home, 'root'), '--json', '--store', store()], { uid: nobody, gid: nobody, cwd: home, env: { PATH: process.env['PATH'], HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    expect(status, stderr).toBe(0);
    const report = JSON.parse(stdout) as WriteReport;
    const kinds = new Map(report.leftOut.map(({ kind, count }) => [kind, count]));
    expect(report.guardedBy).toBe('handles');
    expect(kinds.get('device')).toBe((await devicesOf(ours())).trim().split('\n').length);
    expect(kinds.get('owner')).toBe(report.entries - (kinds.get('device') ?? 0) - report.hardlinks);
    expect([...kinds.keys()].toSorted()).toEqual(['device', 'owner']);
    const withoutDevices = (lines: readonly string[]) => lines.filter((line) => !/^\S+ [cb] /.test(line));
    expect(withoutDevices(await linesOf(join(home, 'root'), false))).toEqual(withoutDevices(await linesOf(ours(), false)));
    expect(await digestsOf(join(home, 'root'))).toBe(await digestsOf(ours()));
    expect((await run('find', [join(home, 'root'), '!', '-uid', String(nobody)])).trim()).toBe('');
    expect((await stat(join(home, 'root/srv/closed'))).mode & 0o7777).toBe(0o700);
  });
});
