import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const drivers = fileURLToPath(new URL('../../packages/core/src/drivers', import.meta.url));

/** Makes a script out of source text (`DRIVERS/` stands for the folder of the drivers) that plain node can run as a process of its own. */
export async function bundled(folder: string, source: string): Promise<string> {
  const outfile = join(folder, 'script.mjs');
  const result = await build({
    stdin: { contents: source.replaceAll('DRIVERS/', `${drivers}/`), resolveDir: drivers, loader: 'ts' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    conditions: ['@oci-tar/source', 'node'],
    logLevel: 'silent',
  });
  // Found beside the script at run time; a bundler does not see it.
  await copyFile(join(drivers, '../runtime/node/hash-worker.js'), join(folder, 'hash-worker.js'));
  await writeFile(outfile, result.outputFiles[0]?.contents ?? '');
  return outfile;
}
