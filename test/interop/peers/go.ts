import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './tool.ts';

/** Where Debian's golang-…-dev packages put their sources. */
const gopath = '/usr/share/gocode';

/** Whether Debian's package of this import path is installed, such as `github.com/vbatts/tar-split`. */
export function hasGoPackage(importPath: string): boolean {
  return existsSync(join(gopath, 'src', importPath));
}

/**
 * Builds the Go program in `test/interop/go/<name>` against the libraries that Debian has packaged; returns the path of the
 * executable. It is kept in the system's temporary directory and built again only where its source or Go has changed.
 */
export async function goProgram(name: string): Promise<string> {
  const source = fileURLToPath(new URL(`../go/${name}/`, import.meta.url));
  const key = createHash('sha256').update(await run('go', ['version'], cacheless));
  for (const file of (await readdir(source)).toSorted()) key.update(`\0${file}\0`).update(await readFile(join(source, file)));
  const folder = join(tmpdir(), `oci-tar-go-${process.getuid?.() ?? 'user'}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A directory that another user has put there is not run from.
  const { uid } = await stat(folder);
  if (process.getuid !== undefined && uid !== process.getuid()) throw new Error(`${folder} belongs to another user`);
  const executable = join(folder, `${name}-${key.digest('hex').slice(0, 16)}`);
  if (existsSync(executable)) return executable;
  const building = await mkdtemp(join(folder, 'build-'));
  try {
    await run('go', ['build', '-o', join(building, name), join(source, 'main.go')], { GO111MODULE: 'off', GOPATH: gopath, GOCACHE: join(folder, 'cache'), GOFLAGS: '', CGO_ENABLED: '0' });
    await rename(join(building, name), executable);
    return executable;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** `go version` must not look for a module. */
const cacheless = { GO111MODULE: 'off', GOFLAGS: '' };
