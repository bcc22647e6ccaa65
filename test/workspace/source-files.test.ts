import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { codeOnly, importsOf, root, sourceFiles, withoutComments } from './source-files.ts';

describe('the imports of a source file', () => {
  it.each([
    [`import { a } from './a.ts';`, './a.ts', false],
    [`import type { A } from './a.ts';`, './a.ts', true],
    [`import a, { type B } from './a.ts';`, './a.ts', false],
    [`import * as a from "node:fs";`, 'node:fs', false],
    [`import './side-effect.ts';`, './side-effect.ts', false],
    [`import {\n  a,\n  b,\n} from './a.ts';`, './a.ts', false],
    [`export * from './a.ts';`, './a.ts', false],
    [`export * as a from './a.ts';`, './a.ts', false],
    [`export type * from './a.ts';`, './a.ts', true],
    [`export { a } from './a.ts';`, './a.ts', false],
    [`const a = await import('./a.ts');`, './a.ts', false],
    [`type A = typeof import('./a.ts');`, './a.ts', true],
  ])('are found in %j', (text, specifier, typeOnly) => {
    expect(importsOf(text)).toEqual([{ specifier, typeOnly, lazy: text.includes('import(') }]);
  });

  it.each([
    `/** \n * import { a } from './a.ts';\n */`,
    `// import './a.ts';\n`,
    `export const from = 'a';\nconst b = "c";`,
    `export function load(name: string) {\n  return name + " from 'x'";\n}`,
  ])('are not seen where there are none: %j', (text) => {
    expect(importsOf(text)).toEqual([]);
  });

  it('are those that the bundler finds in the library itself', async () => {
    const files = sourceFiles('packages/core/src');
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: files.map(({ path }) => `packages/core/src/${path}`),
      outdir: 'unused',
      bundle: true,
      external: ['*'],
      format: 'esm',
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    expect(files.length).toBeGreaterThan(10);
    for (const { path, text } of files) {
      const bundled = metafile.inputs[`packages/core/src/${path}`]?.imports.map((found) => found.original ?? found.path) ?? [];
      expect(importsOf(text).map(({ specifier }) => specifier), path).toEqual(expect.arrayContaining(bundled));
    }
  });
});

describe('the code of a source file', () => {
  it('has no comments but all of its strings', () => {
    expect(withoutComments(`const a = 'http://b'; // c\n/* d */ const e = \`/* f */\`;`)).toBe(
      `const a = 'http://b';  \n  const e = \`/* f */\`;`,
    );
  });

  it('keeps what a template computes and drops quoted text', () => {
    expect(codeOnly(`x('Buffer'); y(\`\${Buffer.from(z)}\`);`)).toBe(`x(''); y(\`\${Buffer.from(z)}\`);`);
  });
});
