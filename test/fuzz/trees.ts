import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { directoryDriver, layoutStore } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { dirStore } from '../../packages/core/src/stores/dir.ts';
import type { Files } from './graph.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';

/** A directory that holds an image, in memory. */
export interface TreeSeed {
  readonly name: string;
  /** `oci`: an image layout. `dir`: as `skopeo copy` to `dir:` writes it. */
  readonly kind: 'oci' | 'dir';
  readonly files: Files;
}

export async function treeAt(name: string, kind: TreeSeed['kind'], path: string): Promise<TreeSeed> {
  const found = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = await Promise.all(found.map(async (entry): Promise<[string, Uint8Array]> => [join(entry.parentPath, entry.name).slice(path.length + 1), await readFile(join(entry.parentPath, entry.name))]));
  return { name, kind, files: new Map(files) };
}

/** A tree of which some files are other ones, gone, called otherwise or links that lead out. */
export function mutatedTree({ files }: TreeSeed, random: Random): ReadonlyMap<string, Uint8Array | 'link' | 'folder'> {
  const changed = new Map<string, Uint8Array | 'link' | 'folder'>(files);
  for (let n = random.below(3); n >= 0; n--) {
    const [path, bytes] = random.pick([...files]);
    random.pick<() => unknown>([
      () => changed.set(path, mutate(bytes, random)),
      () => changed.set(path, mutate(bytes, random)),
      () => changed.delete(path),
      () => changed.set(random.pick([...files.keys()]), bytes),
      () => changed.set(path, 'link'),
      () => changed.set(path, 'folder'),
    ])();
  }
  return changed;
}

/** Has the tree written into a folder that is gone afterwards, and opened. */
export async function inTree<T>(kind: TreeSeed['kind'], files: ReturnType<typeof mutatedTree>, work: (store: ImageStore) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'oci-tar-fuzz-'));
  try {
    for (const [path, content] of files) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      if (content === 'folder') await mkdir(join(folder, path), { recursive: true });
      else if (content === 'link') await symlink('/etc/passwd', join(folder, path));
      else await writeFile(join(folder, path), content);
    }
    const store = kind === 'dir' ? dirStore(folder) : layoutStore(directoryDriver(folder));
    return await work(store).finally(() => store.close());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
