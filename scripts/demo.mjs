// npm run demo
//
// The main job, end to end: an image is made from a directory, exported to out.tar, verified, imported into a second
// store and listed. Sets itself up; the stores live in a temporary directory, out.tar stays.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { cliMain, install, root } from './workspace.mjs';

/** Shows a command as a reader would type it, then what it says. @param {readonly string[]} args */
function ociTar(...args) {
  console.log(`\n$ oci-tar ${args.map(quote).join(' ')}`);
  const { status } = spawnSync(process.execPath, [cliMain, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`oci-tar ${args[0]} failed`);
}

/** @param {string} argument */
function quote(argument) {
  return /^[\w./:=@+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

const stores = mkdtempSync(join(tmpdir(), 'oci-tar-demo-'));
try {
  install();
  await build();
  const first = join(stores, 'first');
  const second = join(stores, 'second');
  const label = 'org.opencontainers.image.description=A directory turned into an image';
  const make = ['--layer', 'examples/hello', '--entrypoint', '/hello.sh', '--label', label, '--platform', 'linux/amd64'];
  ociTar('create', 'hello:1', ...make, '--store', first);
  ociTar('export', 'hello:1', 'out.tar', '--store', first);
  ociTar('verify', 'oci-archive:out.tar');
  ociTar('import', 'out.tar', '--store', second);
  ociTar('images', '--store', second);
  console.log(`\nout.tar (${statSync(join(root, 'out.tar')).size} bytes) stays here for you to look at or load elsewhere.`);
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(stores, { recursive: true, force: true });
}
