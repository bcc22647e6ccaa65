// Bundles the command line: a small main.js that starts at once, and the rest, which it loads.
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, parse, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { slimUndici } from './slim-undici.mjs';
import { straightImports } from './straight-imports.mjs';
import { root } from './workspace.mjs';

const packageFolder = join(root, 'packages/cli');
const runtimeFolder = join(root, 'packages/core/src/runtime/node');
const noticesName = 'THIRD-PARTY-NOTICES.txt';

/**
 * The bundle's files, in memory. The package's `dependencies` stay outside, its `devDependencies` come inside.
 * @returns {Promise<{ files: Map<string, string>, meta: import('esbuild').Metafile }>} by file name
 */
export async function bundleCli() {
  /** @type {{ dependencies?: Record<string, string> }} */
  const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));
  const shared = settings(Object.keys(manifest.dependencies ?? {}));
  // main.js is one file, whatever it shares with the rest: each file that it had to load first costs a millisecond.
  /** @type {Map<string, string>} */
  const lazy = new Map();
  const main = await build({ ...shared, entryPoints: [join(packageFolder, 'src/main.ts')], plugins: [lazyOutside(lazy), straightImports()] });
  // One file for what is asked for most: what a command does not use is only skimmed, while each file more would cost a millisecond.
  // The other commands, and the places that talk to a system, are skimmed only when they are needed; they bring what they share along.
  /** @type {Map<string, string>} */
  const packages = new Map();
  /** @type {Map<string, string>} */
  const seldom = new Map();
  const plugins = [straightImports(), seldomOutside(seldom), packagesOutside(packages)];
  const rest = await build({ ...shared, entryPoints: Object.fromEntries([...lazy, ...workers()]), plugins });
  const more = await Promise.all(seldomCommands.map((name) => build({ ...shared, entryPoints: { [name]: join(packageFolder, `src/${name}.ts`) }, plugins })));
  const places = await build({ ...shared, entryPoints: Object.fromEntries([...seldom].filter(([name]) => !seldomCommands.includes(name))), plugins });
  const apart = await build({ ...shared, entryPoints: Object.fromEntries(packages), plugins: [slimUndici()] });
  const builds = [main, rest, ...more, places, apart];
  const meta = {
    inputs: Object.assign({}, ...builds.map(({ metafile }) => metafile.inputs)),
    outputs: Object.assign({}, ...builds.map(({ metafile }) => metafile.outputs)),
  };
  const outputs = builds.flatMap(({ outputFiles }) => outputFiles);
  const files = new Map(outputs.map((file) => [basename(file.path), file.text]));
  const text = files.get('main.js') ?? '';
  files.set('main.js', text.startsWith('#!') ? text : `#!/usr/bin/env node\n${text}`);
  // The package is of modules, this folder is not.
  files.set('package.json', '{ "type": "commonjs" }\n');
  files.set(noticesName, notices(Object.keys(meta.inputs)));
  return { files, meta };
}

/** @param {string[]} external */
function settings(external) {
  return /** @satisfies {import('esbuild').BuildOptions} */ ({
    absWorkingDir: root,
    outdir: join(packageFolder, 'dist'),
    // One flat folder: a worker is found beside whichever chunk asks for `./<name>-worker.js`.
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    // Node starts CommonJS without its loader of modules, and hands out its own modules without a facade: 10 ms of a tiny export.
    format: 'cjs',
    supported: { 'dynamic-import': false },
    // yargs looks at the width of a terminal when it is loaded, though it is told one; that alone makes a pipe non-blocking.
    define: { 'import.meta.url': '__url', 'process.stdout.columns': 'undefined' },
    banner: { js: "const __url=require('node:url').pathToFileURL(__filename).href;" },
    platform: 'node',
    target: 'node20.19',
    conditions: ['@oci-tar/source'],
    // string-width's tables of emoji take 17 ms to load, a fifth of a whole run; our help is ASCII.
    alias: { 'string-width': join(packageFolder, 'src/text-width.ts'), assert: join(packageFolder, 'src/assert.ts') },
    external,
    // The less there is to compile, the sooner it runs: 8 ms of a tiny export are spent on reading code.
    minifyIdentifiers: true,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
}

/**
 * Leaves what is imported with `import()` out and notes it, to become an entry of its own.
 * @param {Map<string, string>} found gets the path of each by its name
 * @returns {import('esbuild').Plugin}
 */
function lazyOutside(found) {
  return {
    name: 'lazy-outside',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const name = parse(path).name;
        found.set(name, resolve(resolveDir, path));
        return { path: `./${name}.js`, external: true };
      });
    },
  };
}

/** The files of commands that few ask for, each with all that it needs. */
const seldomCommands = ['more-commands', 'tar-commands'];

/** The stores that talk to a system, by their folders. */
const places = /[\\/]stores[\\/](registry|containerd|docker-engine|dedup)[\\/]/;

/**
 * Leaves the seldom commands, and places that talk to a system, out where they are imported with `import()`.
 * @param {Map<string, string>} found gets the path of each by its file's name
 * @returns {import('esbuild').Plugin}
 */
function seldomOutside(found) {
  return {
    name: 'seldom-outside',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const target = resolve(resolveDir, path);
        const [, place] = places.exec(target) ?? [];
        const name = place === undefined ? parse(path).name : `${place}-${parse(path).name}`;
        if (place === undefined && !seldomCommands.includes(name)) return undefined;
        found.set(name, target);
        return { path: `./${name}.js`, external: true };
      });
    },
  };
}

/**
 * Keeps each package that is imported with `import()` in a file of its own (zstd as wasm, an HTTP client): a quarter of a
 * megabyte and more that few commands need.
 * @param {Map<string, string>} found gets the path of each by its file's name
 * @returns {import('esbuild').Plugin}
 */
function packagesOutside(found) {
  return {
    name: 'packages-outside',
    setup(bundler) {
      bundler.onResolve({ filter: /^@?[a-z]/ }, async ({ kind, path, importer, resolveDir, pluginData }) => {
        if (kind !== 'dynamic-import' || pluginData === resolved) return undefined;
        const target = await bundler.resolve(path, { kind, importer, resolveDir, pluginData: resolved });
        if (target.errors.length > 0 || target.external) return target;
        const name = basename(path);
        found.set(name, target.path);
        return { path: `./${name}.js`, external: true };
      });
    },
  };
}

const resolved = Symbol('resolved');

/** Writes the bundle to packages/cli/dist and removes what an earlier one left there. */
export async function writeBundle() {
  const { files } = await bundleCli();
  const folder = join(packageFolder, 'dist');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  chmodSync(join(folder, 'main.js'), 0o755);
  const stale = readdirSync(folder).filter((name) => /\.(js|txt)$/.test(name) && !files.has(name));
  for (const name of stale) rmSync(join(folder, name));
}

/** Worker threads are started by file name, which the bundler does not follow: each is an entry of its own. */
function workers() {
  return readdirSync(runtimeFolder)
    .filter((name) => /-worker\.(js|ts)$/.test(name))
    .map((name) => [name.replace(/\.(js|ts)$/, ''), join(runtimeFolder, name)]);
}

/** The licences of the packages that the bundle carries, as their terms ask. @param {readonly string[]} inputs */
function notices(inputs) {
  const marker = 'node_modules/';
  const folders = new Set();
  for (const input of inputs) {
    const start = input.lastIndexOf(marker);
    if (start === -1) continue;
    const parts = input.slice(start + marker.length).split('/');
    const name = parts.slice(0, input.startsWith('@', start + marker.length) ? 2 : 1).join('/');
    folders.add(input.slice(0, start + marker.length) + name);
  }
  const texts = [...folders].map((folder) => notice(resolve(root, folder)));
  return `oci-tar contains the following packages.\n\n${texts.toSorted().join('\n')}`;
}

/** @param {string} folder of one package */
function notice(folder) {
  /** @type {{ name: string, version: string, license?: string }} */
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined && manifest.license === undefined) {
    throw new Error(`${relative(root, dirname(folder))}: ${manifest.name} states no licence, so it cannot be bundled`);
  }
  const text = file === undefined ? '' : `\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  return `${manifest.name} ${manifest.version} (${manifest.license ?? 'see below'})\n${text}`;
}
