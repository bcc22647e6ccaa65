// npm test [-- [--smoke] [arguments for vitest, such as test/tar or -t <name>]]
//
// Installs, builds, checks types and style, runs the tests. The last line is `N passed, N failed, N skipped`, in which a
// step that fails counts as one failure. With CI=true a skipped test fails the run. `--smoke` also tries the packed
// packages on several versions of Node.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { install, runTool } from './workspace.mjs';

/** Tests that CI may skip, by full name, with the reason why. */
const mayBeSkipped = new Map(/** @type {[string, string][]} */ ([]));

const inCi = process.env['CI'] === 'true' || process.env['CI'] === '1';
const total = { passed: 0, failed: 0, skipped: 0 };

/**
 * One step; `work` throws or returns an exit status other than 0 when it fails.
 * @param {string} name
 * @param {() => number | void | Promise<number | void>} work
 */
async function step(name, work) {
  console.log(`\n== ${name}`);
  let problem = '';
  try {
    const status = (await work()) ?? 0;
    if (status !== 0) problem = `exit status ${status}`;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  if (problem === '') return true;
  total.failed += 1;
  console.log(`FAILED ${name}: ${problem}`);
  return false;
}

/** @param {readonly string[]} args */
function runTests(args) {
  console.log('\n== tests');
  const folder = mkdtempSync(join(tmpdir(), 'oci-tar-test-'));
  const file = join(folder, 'summary.json');
  try {
    const reporters = ['--reporter=default', '--reporter=./scripts/summary-reporter.mjs'];
    const status = runTool('vitest', ['run', ...reporters, ...args], { OCI_TAR_TEST_SUMMARY: file });
    count(readSummary(file), status);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} file @returns {import('./summary-reporter.mjs').Summary | undefined} */
function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {import('./summary-reporter.mjs').Summary | undefined} summary
 * @param {number} status of vitest
 */
function count(summary, status) {
  const failed = summary?.failed ?? 0;
  total.passed += summary?.passed ?? 0;
  // Vitest can fail where no test does: a file that is not found, a crash.
  total.failed += status !== 0 && failed === 0 ? 1 : failed;
  const skipped = summary?.skipped ?? [];
  total.skipped += skipped.length;
  for (const { file, name, reason } of skipped) console.log(`skipped: ${file} > ${name}: ${reason}`);
  const unexpected = inCi ? skipped.filter(({ name }) => !mayBeSkipped.has(name)) : [];
  if (unexpected.length > 0) {
    console.log(`FAILED: CI has everything that the tests need, so none may be skipped; ${unexpected.length} were`);
    process.exitCode = 1;
  }
}

async function runSmoke() {
  const { smoke } = await import('./smoke.mjs');
  const results = await smoke();
  total.passed += results.passed;
  total.failed += results.failed;
}

const args = process.argv.slice(2);
const wantsSmoke = args.includes('--smoke');

// Nothing runs without the dependencies; after that each step says what it has to say, whatever the others found.
if (await step('install', install)) {
  const built = await step('build', build);
  await step('types', () => runTool('tsc', ['-p', 'test']) || runTool('tsc', ['-p', 'scripts']));
  // One line a problem where nobody watches: the default colours its frames under CI, whatever NO_COLOR says.
  await step('style', () => runTool('oxlint', ['--quiet', process.stdout.isTTY ? '--format=default' : '--format=unix']));
  runTests(args.filter((argument) => argument !== '--smoke'));
  if (wantsSmoke && built) await step('smoke run', runSmoke);
}

if (total.failed > 0) process.exitCode = 1;
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
