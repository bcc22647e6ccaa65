import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOnly, importsOf, sourceFiles } from './source-files.ts';
import type { Import, SourceFile } from './source-files.ts';

/** Each folder may import from itself and from the rows above it; folders in one row know nothing of each other. */
const order = [
  ['errors.ts'],
  ['spec'],
  ['runtime'],
  ['bytes'],
  ['tar', 'compression'],
  ['seekable'],
  ['layer'],
  ['image'],
  ['edit', 'layout'],
  ['drivers'],
  ['stores'],
  ['verbs', 'serve'],
  ['index.ts'],
];

/**
 * The two faces of the runtime hand out sources, so they know what a source is. A file that imports nothing of the
 * runtime itself makes no circle of it, which the test on circles watches.
 */
const exceptions: readonly (readonly [from: RegExp, to: string])[] = [
  [/^runtime\//, 'bytes/types.ts'],
  [/^runtime\/(?:node|default)\//, 'bytes/source.ts'],
];

const files = sourceFiles('packages/core/src');
const byPath = new Map(files.map((file) => [file.path, file]));

function folderOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Whether a file may know Node: it belongs to Node's side of the runtime, or talks to a system. */
function mayUseNode(path: string): boolean {
  return /^(runtime\/node|drivers\/directory|stores|serve)\b/.test(path) || folderOf(path) === 'testing';
}

/** The files of the library that an import stands for: none for a package, two for a runtime face. */
function targets(file: SourceFile, { specifier }: Import): string[] {
  if (specifier.startsWith('#runtime/')) {
    const name = specifier.slice('#runtime/'.length);
    return [`runtime/node/${name}.ts`, `runtime/default/${name}.ts`];
  }
  return specifier.startsWith('.') ? [posix.join(posix.dirname(file.path), specifier)] : [];
}

function rank(path: string): number {
  return order.findIndex((row) => row.includes(folderOf(path)));
}

function goesRight(from: string, to: string): boolean {
  if (folderOf(from) === folderOf(to) || folderOf(from) === 'testing') return false;
  if (exceptions.some(([pattern, path]) => pattern.test(from) && path === to)) return false;
  return rank(to) === -1 || rank(to) >= rank(from);
}

describe('the folders of the library', () => {
  it('all have a place in the order', () => {
    const known = new Set([...order.flat(), 'testing']);
    expect(files.map(({ path }) => folderOf(path)).filter((folder) => !known.has(folder))).toEqual([]);
  });

  it('import only from folders further left', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file.text).flatMap((found) =>
        targets(file, found)
          .filter((target) => goesRight(file.path, target))
          .map((target) => `${file.path} imports ${target}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('name files that exist, both faces of the runtime included where the importer runs everywhere', () => {
    const missing = files.flatMap((file) =>
      importsOf(file.text)
        .flatMap((found) => targets(file, found))
        .filter((target) => !byPath.has(target) && !(target.startsWith('runtime/default/') && mayUseNode(file.path)))
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('what is particular to Node', () => {
  const portable = files.filter(({ path }) => !mayUseNode(path));

  it('is imported only by the runtime, the directory driver, the stores and the server', () => {
    const wrong = portable.flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ specifier }) => specifier.startsWith('node:'))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it('is not used as a global either', () => {
    const global = /(?<![\w$.])(?:Buffer\b|process\.[a-zA-Z]|process\[|require\(|__dirname\b|__filename\b|setImmediate\b)/g;
    const wrong = portable.flatMap(({ path, text }) => [...codeOnly(text).matchAll(global)].map((match) => `${path} uses ${match[0]}`));
    expect(wrong).toEqual([]);
  });
});

describe.each(['packages/core/src', 'packages/cli/src'])('the files of %s', (folder) => {
  const sources = sourceFiles(folder);

  it('do not load each other in a circle', () => {
    const loaded = (file: SourceFile) => importsOf(file.text).filter(({ typeOnly, lazy }) => !typeOnly && !lazy);
    const graph = new Map(sources.map((file) => [file.path, loaded(file).flatMap((found) => targets(file, found))]));
    expect(findCycle(graph)).toBeUndefined();
  });

  it('have at most 400 lines', () => {
    expect(sources.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path)).toEqual([]);
  });
});

describe('the command line', () => {
  it('takes from the library only what everybody can', () => {
    const imports = sourceFiles('packages/cli/src').flatMap(({ text }) => importsOf(text));
    const inner = imports.filter(({ specifier }) => specifier.startsWith('@oci-tar/core/') || specifier.includes('core/src'));
    expect(inner).toEqual([]);
  });
});

describe('the tests', () => {
  it('all get their random values from one seed', () => {
    const random = sourceFiles('test').filter(({ text }) => importsOf(text).some(({ specifier }) => specifier === 'fast-check'));
    expect(random.map(({ path }) => path)).toEqual(['support/fast-check.ts']);
  });
});

describe('a circle', () => {
  it('is found and shown in order', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', []],
      ['d', ['b']],
    ]);
    expect(findCycle(graph)).toBe('b -> d -> b');
  });
});

/** The first circle in a graph of files, as a line of text. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node].join(' -> ');
    if (done.has(node)) return undefined;
    done.add(node);
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...trail, node]);
      if (cycle !== undefined) return cycle;
    }
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
