import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, openDir, openDirectory } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { exported, freshStore, imported } from '../files.ts';
import { here } from '../images.ts';
import type { Sample, Samples } from '../images.ts';
import { the } from './peers.ts';
import type { Peers, Tool } from './peers.ts';

/** A way of a tool to write images: what it is called in the documentation, and how it is done. */
export interface Writer {
  readonly name: string;
  readonly tool: Tool;
  /** What is written: an archive, an image layout directory, or a directory as skopeo has it. */
  readonly form: 'archive' | 'layout' | 'dir';
  /** Only one platform of an index is in it. */
  readonly sparse?: boolean;
  /** Writes below a directory of the test's own and tells where. */
  write(peers: Peers, samples: Samples, directory: string): Promise<string>;
}

/** What an image is called that its directory gives no full name. */
const nameless = 'example.org/from/directory:d';

const podmanSave = (name: string, format: string, keys: readonly ('two' | 'plain')[], flags: readonly string[] = []): Writer => ({
  name,
  tool: 'podman',
  form: 'archive',
  async write(peers, samples, directory) {
    const podman = the(peers, 'podman');
    await podman('image', 'rm', '--all', '--force');
    for (const key of keys) await podman('load', '--input', await exported(directory, samples.store, [samples.of[key].name]));
    const path = join(directory, 'podman.tar');
    await podman('save', '--quiet', ...flags, '--format', format, '--output', path, ...keys.map((key) => samples.of[key].name));
    return path;
  },
});

const skopeoCopy = (name: string, place: (path: string, sample: Sample) => string, { form = 'archive', key = 'two', flags = [] }: { readonly form?: Writer['form']; readonly key?: 'two' | 'plain' | 'multi'; readonly flags?: readonly string[] } = {}): Writer => ({
  name,
  tool: 'skopeo',
  form,
  async write(peers, samples, directory) {
    const path = join(directory, 'skopeo');
    const sample = samples.of[key];
    await the(peers, 'skopeo')('copy', ...flags, `oci:${samples.path}:${sample.name}`, place(path, sample));
    return path;
  },
});

const ctrExport = (name: string, key: 'two' | 'multi', flags: readonly string[], sparse = false): Writer => ({
  name,
  tool: 'ctr',
  form: 'archive',
  sparse,
  async write(peers, samples, directory) {
    const { ctr } = the(peers, 'ctr').namespace(`from-${key}`);
    await ctr('images', 'import', '--no-unpack', '--all-platforms', await exported(directory, samples.store, [samples.of[key].name]));
    const path = join(directory, 'ctr.tar');
    await ctr('images', 'export', ...flags, path, samples.of[key].name);
    return path;
  },
});

const buildahPush = (name: string, format: string): Writer => ({
  name,
  tool: 'buildah',
  form: 'archive',
  async write(peers, samples, directory) {
    const buildah = the(peers, 'buildah');
    const { two } = samples.of;
    await buildah('rmi', '--all', '--force');
    await buildah('pull', '--quiet', `oci-archive:${await exported(directory, samples.store, [two.name])}`);
    const path = join(directory, 'buildah.tar');
    await buildah('push', '--quiet', two.config.slice('sha256:'.length), `${format}:${path}:${two.name}`);
    return path;
  },
});

export const writers: readonly Writer[] = [
  {
    name: '`docker save`',
    tool: 'docker',
    form: 'archive',
    async write(peers, samples, directory) {
      const { docker } = the(peers, 'docker');
      const { name } = samples.of.two;
      await docker('load', '--input', await exported(directory, samples.store, [name]));
      const path = join(directory, 'docker.tar');
      await docker('save', '--output', path, name);
      return path;
    },
  },
  podmanSave('`podman save --format docker-archive`', 'docker-archive', ['two']),
  podmanSave('`podman save --multi-image-archive`', 'docker-archive', ['two', 'plain'], ['--multi-image-archive']),
  podmanSave('`podman save --format oci-archive`', 'oci-archive', ['two']),
  skopeoCopy('`skopeo copy` to `docker-archive:`', (path, { name }) => `docker-archive:${path}:${name}`),
  skopeoCopy('`skopeo copy` to `oci-archive:`', (path, { name }) => `oci-archive:${path}:${name}`),
  skopeoCopy('`skopeo copy` to `dir:`', (path) => `dir:${path}`, { form: 'dir' }),
  skopeoCopy('`skopeo copy --dest-compress` to `dir:`', (path) => `dir:${path}`, { form: 'dir', key: 'plain', flags: ['--dest-compress'] }),
  skopeoCopy('`skopeo copy --dest-decompress` to `dir:`', (path) => `dir:${path}`, { form: 'dir', flags: ['--dest-decompress'] }),
  skopeoCopy('`skopeo copy --all` to `dir:`, of several', (path) => `dir:${path}`, { form: 'dir', key: 'multi', flags: ['--all'] }),
  ctrExport('`ctr images export`', 'two', []),
  ctrExport('`ctr images export --platform`, of several', 'multi', ['--platform', `${here.os}/${here.architecture}`], true),
  ctrExport('`ctr images export --all-platforms`, of several', 'multi', ['--all-platforms']),
  buildahPush('`buildah push` to `docker-archive:`', 'docker-archive'),
  buildahPush('`buildah push` to `oci-archive:`', 'oci-archive'),
  {
    name: '`umoci`',
    tool: 'umoci',
    form: 'layout',
    async write(peers, _samples, directory) {
      const umoci = the(peers, 'umoci');
      const path = join(directory, 'umoci');
      const image = `${path}:${nameless}`;
      const bundle = join(directory, 'bundle');
      const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
      await umoci('init', '--layout', path);
      await umoci('new', '--image', image);
      await umoci('unpack', ...rootless, '--image', image, bundle);
      await mkdir(join(bundle, 'rootfs/etc'));
      await writeFile(join(bundle, 'rootfs/etc/motd'), 'by umoci\n');
      await umoci('repack', '--image', image, bundle);
      return path;
    },
  },
];

/** Brings what was written into a store of ours, where it verifies. */
export async function received({ form }: Writer, path: string, directory: string): Promise<ImageStore> {
  if (form === 'archive') return imported(directory, path);
  const source = form === 'dir' ? await openDir(path) : await openDirectory(path);
  const target = await freshStore(directory);
  await copyImage({ source, target, name: nameless });
  await source.close();
  return target;
}
