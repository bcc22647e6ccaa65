import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the whole workspace. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** Relative to the folder that was walked, with `/` between its parts. */
  readonly path: string;
  readonly text: string;
}

/** The source files below a folder of the workspace, such as `packages/core/src`. */
export function sourceFiles(folder: string): SourceFile[] {
  const base = join(root, folder);
  return readdirSync(base, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|js|mjs)$/.test(name))
    .toSorted()
    .map((name) => ({ path: relative(base, join(base, name)).split(sep).join('/'), text: readFileSync(join(base, name), 'utf8') }));
}

/** One module that a file asks for. */
export interface Import {
  readonly specifier: string;
  /** True where only types are taken, so that nothing is loaded at run time. */
  readonly typeOnly: boolean;
  /** True for `import()`, which waits until it is reached. */
  readonly lazy: boolean;
}

/** The source without comments; strings stay as they are. */
export function withoutComments(text: string): string {
  const stringOrComment = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replaceAll(stringOrComment, (_, string: string | undefined) => string ?? ' ');
}

/** The source without comments and without what stands in single or double quotes; templates keep their code. */
export function codeOnly(text: string): string {
  return withoutComments(text).replaceAll(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");
}

/** All modules that a source file names: imports and re-exports, `import()` as a call and as a type. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const fromModule = /^[ \t]*(?:import|export)\s+(type\s)?(?:[\w$*{}\s,]*?)\bfrom\s*['"]([^'"\n]+)['"]/gm;
  const sideEffect = /^[ \t]*import\s*['"]([^'"\n]+)['"]/gm;
  const call = /(typeof\s+)?\bimport\(\s*['"]([^'"\n]+)['"]/g;
  return [
    ...[...code.matchAll(fromModule)].map((match) => ({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined, lazy: false })),
    ...[...code.matchAll(sideEffect)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false, lazy: false })),
    ...[...code.matchAll(call)].map((match) => ({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined, lazy: true })),
  ];
}
