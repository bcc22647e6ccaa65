import { describe, expect, it } from 'vitest';
import { bundleCli } from '../../scripts/bundle.mjs';
import { sourceFiles } from './source-files.ts';

const { files, meta } = await bundleCli();

/** The files that are loaded before the first line of `name` runs. */
function loadedWith(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const output = Object.entries(meta.outputs).find(([path]) => path.endsWith(`/${name}`))?.[1];
  for (const found of output?.imports ?? []) {
    if (found.kind === 'import-statement' && !found.external) loadedWith(found.path.slice(found.path.lastIndexOf('/') + 1), seen);
  }
  return seen;
}

describe('the bundled command line', () => {
  it('starts as a program', () => {
    expect(files.get('main.js')).toMatch(/^#!\/usr\/bin\/env node\n(?!#!)/);
  });

  it('loads a few kilobytes before it knows what it is asked for', () => {
    const bytes = [...loadedWith('main.js')].reduce((sum, name) => sum + (files.get(name)?.length ?? 0), 0);
    expect(bytes).toBeLessThan(16 * 1024);
  });

  it('has the worker threads of the library beside it', () => {
    const started = [...files.values()].flatMap((text) => [...text.matchAll(/new URL\(["'`]\.\/([\w.-]+)["'`],\s*import\.meta\.url\)/g)].map((match) => match[1] ?? ''));
    expect(started.filter((name) => !files.has(name))).toEqual([]);
    expect([...files.keys()]).toContain('hash-worker.js');
  });

  it('holds of undici what is asked for, and little more', () => {
    const text = files.get('undici.js') ?? '';
    const named = sourceFiles('packages/core/src').flatMap((file) => [...file.text.matchAll(/const \{([^}]*)\} = await import\('undici'\)/g)].flatMap(([, names = '']) => names.split(',').map((name) => name.split(':')[0]?.trim() ?? '')));
    expect(named).toContain('Agent');
    expect(named.filter((name) => !text.includes(`exports.${name}=`))).toEqual([]);
    expect(text.length).toBeLessThan(300 * 1024);
    expect(text).not.toContain('node:http2');
  });

  it('needs nothing that is not in it', () => {
    const outside = Object.values(meta.outputs).flatMap((output) => output.imports.filter((found) => found.external).map((found) => found.path));
    const builtin = /^(?:node:)?\w+(?:\/\w+)?$/;
    expect(outside.filter((path) => !builtin.test(path) && !files.has(path.replace('./', '')))).toEqual([]);
  });
});
