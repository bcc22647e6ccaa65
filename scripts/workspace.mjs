// What the other scripts share: where things are, how a tool is run, and the installation of the dependencies.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const cliMain = join(root, 'packages/cli/dist/main.js');

const tools = {
  asc: 'node_modules/assemblyscript/bin/asc.js',
  oxlint: 'node_modules/oxlint/bin/oxlint',
  tsc: 'node_modules/typescript/bin/tsc',
  vitest: 'node_modules/vitest/vitest.mjs',
};

/** Colour and cursor tricks are for terminals; without this the tools colour their output wherever `CI` is set. */
const plain = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };

/**
 * Runs a program to its end, without stdin, its output going where ours goes. Returns its exit status.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, shell?: boolean, quiet?: boolean }} [options] `quiet` drops stdout
 */
export function run(command, args, { env = {}, shell = false, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...plain, ...env },
    shell,
    stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'],
  });
  if (result.error) throw result.error;
  // What a shell reports for a program that a signal ended.
  return result.status ?? 128;
}

/**
 * Runs one of the tools under node_modules with this very Node.
 * @param {keyof typeof tools} name
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function runTool(name, args, env = {}) {
  return run(process.execPath, [join(root, tools[name]), ...args], { env });
}

/**
 * Runs the pnpm that package.json names; npm fetches it when it is not there yet.
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean }} [options]
 */
export function runPnpm(args, { quiet = false } = {}) {
  /** @type {{ packageManager: string }} */
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // With CI set pnpm never asks a question. Windows needs the shell to find npx.cmd.
  return run('npx', ['--yes', packageManager, ...args], { env: { CI: 'true' }, shell: process.platform === 'win32', quiet });
}

/** Installs the dependencies unless they are those of the lockfile already. Throws when that fails. */
export function install() {
  if (installed()) return;
  const status = runPnpm(['install', '--frozen-lockfile']);
  if (status !== 0) throw new Error(`the installation of the dependencies failed with exit status ${status}`);
}

/** pnpm keeps a copy of the lockfile that it installed from: equal copies mean that there is nothing to do. */
function installed() {
  const copy = join(root, 'node_modules/.pnpm/lock.yaml');
  if (!existsSync(copy)) return false;
  if (!readFileSync(copy).equals(readFileSync(join(root, 'pnpm-lock.yaml')))) return false;
  return readdirSync(join(root, 'packages')).every((name) => existsSync(join(root, 'packages', name, 'node_modules')));
}
