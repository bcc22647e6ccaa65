import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './source-files.ts';

/** What belongs to one machine or one piece of work, not to the project. This file, which has to name it, is left out. */
const foreign: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a path of one machine', /(?<![\w.~}/-])\/(?:work|home\/\w+|Users\/\w+)\//],
  ['a package registry', /registry\.npmjs\.org|registry\.yarnpkg\.com|\bnpm\.jsr\.io|deb\.debian\.org/i],
  ['unfinished work', /\b(?:TODO|FIXME|XXX)\b/],
  ['how it was made', /\b(?:as an ai|language model|the brief says|per the issue)\b/i],
  ['a number in a list of tasks', /\bissue #?\d+\b/i],
];

const leftOut = new Set(['test/workspace/words.test.ts', 'pnpm-lock.yaml', 'LICENSE']);

/** The files of the project: those that git would keep, or all but the generated ones where there is no git. */
function projectFiles(): string[] {
  if (existsSync(join(root, '.git'))) {
    const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
    return listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  }
  const generated = /(?:^|\/)(?:node_modules|dist|coverage|\.work)(?:\/|$)/;
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .filter((path) => !generated.test(path));
}

const texts = projectFiles()
  .filter((path) => !leftOut.has(path) && /(?:\.(?:ts|js|mjs|json|ya?ml|md|txt|sh|proto)|\/run)$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

describe('the files of the project', () => {
  it('are found', () => {
    expect(texts.map(({ path }) => path)).toContain('package.json');
  });

  it.each(foreign)('never mention %s', (_, pattern) => {
    expect(texts.filter(({ text }) => pattern.test(text)).map(({ path, text }) => `${path}: ${pattern.exec(text)?.[0]}`)).toEqual([]);
  });

  it('outside of tests, scripts and documents name no temporary folder, which differs from system to system', () => {
    const sources = texts.filter(({ path }) => /^packages\/\w+\/src\//.test(path));
    expect(sources.filter(({ text }) => /['"`]\/(?:var\/)?tmp\b/.test(text)).map(({ path }) => path)).toEqual([]);
  });
});
