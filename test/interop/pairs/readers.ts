import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, digestBytes, openDirectory } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { the } from './peers.ts';
import type { Peers, Tool } from './peers.ts';

/** What we hand on: an archive of ours with all the images of a store. */
export interface Handed {
  readonly store: ImageStore;
  readonly archive: string;
  readonly images: readonly HandedImage[];
  /** Only one platform of an index is in it. */
  readonly sparse: boolean;
}

export interface HandedImage {
  readonly name: string;
  readonly tag: string;
  /** Of the manifest or the index that we have under this name. */
  readonly digest: string;
  /** Of the manifest for this machine, where that is another. */
  readonly manifest: string;
  readonly config: string;
}

/** What a tool has got: one of these, or both. */
export interface Got {
  readonly digest?: string;
  readonly config?: string;
}

export interface Reader {
  readonly name: string;
  readonly tool: Tool;
  /** Loads the archive and tells what it has got for each image. */
  read(peers: Peers, handed: Handed, directory: string): Promise<readonly Got[]>;
}

async function each(images: readonly HandedImage[], look: (image: HandedImage) => Promise<Got>): Promise<readonly Got[]> {
  const found: Got[] = [];
  for (const image of images) found.push(await look(image));
  return found;
}

export const readers: readonly Reader[] = [
  {
    name: '`docker load`',
    tool: 'docker',
    async read(peers, { archive, images }) {
      const { docker } = the(peers, 'docker');
      await docker('load', '--input', archive);
      return each(images, async ({ name }) => {
        const config = (await docker('image', 'inspect', '--format', '{{.Id}}', name)).trim();
        await docker('image', 'rm', '--force', name);
        return { config };
      });
    },
  },
  {
    name: '`podman load`',
    tool: 'podman',
    async read(peers, { archive, images }) {
      const podman = the(peers, 'podman');
      // podman keeps one manifest for each ID: what another archive has brought must be gone.
      await podman('image', 'rm', '--all', '--force');
      await podman('load', '--input', archive);
      return each(images, async ({ name }) => {
        const [digest = '', id = ''] = (await podman('image', 'inspect', '--format', '{{.Digest}} {{.Id}}', name)).trim().split(' ');
        return { digest, config: `sha256:${id}` };
      });
    },
  },
  {
    name: '`skopeo copy`',
    tool: 'skopeo',
    async read(peers, { archive, images, sparse }, directory) {
      return each(images, async ({ tag }) => {
        const path = join(await mkdtemp(join(directory, 'skopeo-')), 'dir');
        await the(peers, 'skopeo')('copy', ...(sparse ? [] : ['--all']), `oci-archive:${archive}:${tag}`, `dir:${path}`);
        const bytes = await readFile(join(path, 'manifest.json'));
        return { digest: await digestBytes(bytes), ...configIn(bytes) };
      });
    },
  },
  {
    name: '`ctr images import`',
    tool: 'ctr',
    async read(peers, { archive, images, sparse }, directory) {
      const { ctr, images: list } = the(peers, 'ctr').namespace(directory.slice(directory.lastIndexOf('/') + 1));
      await ctr('images', 'import', '--snapshotter', 'native', ...(sparse ? [] : ['--all-platforms']), archive);
      const digests = await list();
      return each(images, async ({ name }) => {
        const digest = digests.get(name) ?? '';
        return { digest, ...configIn(Buffer.from(await ctr('content', 'get', digest))) };
      });
    },
  },
  {
    name: '`buildah pull`',
    tool: 'buildah',
    async read(peers, { archive, images }) {
      const buildah = the(peers, 'buildah');
      await buildah('rmi', '--all', '--force');
      return each(images, async ({ tag }) => {
        const id = (await buildah('pull', '--quiet', `oci-archive:${archive}:${tag}`)).trim();
        const digest = (await buildah('inspect', '--type', 'image', '--format', '{{.FromImageDigest}}', id)).trim();
        return { digest, config: `sha256:${id}` };
      });
    },
  },
  {
    name: '`umoci unpack`',
    tool: 'umoci',
    async read(peers, { store, images }, directory) {
      return each(images, async ({ name, tag }) => {
        const own = await mkdtemp(join(directory, 'umoci-'));
        // umoci reads directories only.
        const target = await openDirectory(join(own, 'layout'), { mayBeNew: true });
        await copyImage({ source: store, target, reference: name, name: tag }).finally(() => target.close());
        const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
        await the(peers, 'umoci')('unpack', ...rootless, '--image', `${join(own, 'layout')}:${tag}`, join(own, 'bundle'));
        const bundle = JSON.parse(await readFile(join(own, 'bundle', 'umoci.json'), 'utf8')) as { readonly from_descriptor_path: { readonly descriptor_walk: readonly { readonly digest: string }[] } };
        const digest = bundle.from_descriptor_path.descriptor_walk.at(0)?.digest ?? '';
        const manifest = bundle.from_descriptor_path.descriptor_walk.at(-1)?.digest.slice('sha256:'.length) ?? '';
        return { digest, ...configIn(await readFile(join(own, 'layout/blobs/sha256', manifest))) };
      });
    },
  },
];

/** The config's digest in a manifest; nothing in an index. */
function configIn(bytes: Uint8Array): { readonly config?: string } {
  const { config } = JSON.parse(new TextDecoder().decode(bytes)) as { readonly config?: { readonly digest: string } };
  return config === undefined ? {} : { config: config.digest };
}
