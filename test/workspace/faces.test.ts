import { describe, expect, it } from 'vitest';
import { sourceFiles } from './source-files.ts';

const files = new Map(sourceFiles('packages/core/src/runtime').map(({ path, text }) => [path, text]));
const faces = [...files.keys()].filter((path) => path.startsWith('default/')).map((path) => path.slice('default/'.length));

/** The names that a file exports as values. */
function exportedNames(text: string): string[] {
  const declarations = [...text.matchAll(/^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm)].map((match) => match[1] ?? '');
  const lists = [...text.matchAll(/^export \{([^}]*)\}/gm)].flatMap((match) => (match[1] ?? '').split(','));
  const listed = lists.map((item) => item.trim().split(/\s+as\s+/).at(-1) ?? '').filter((name) => name !== '' && !name.startsWith('type '));
  return [...declarations, ...listed].toSorted();
}

describe('a piece of the runtime', () => {
  it.each(faces)('offers the same on Node and elsewhere: %s', (name) => {
    const elsewhere = exportedNames(files.get(`default/${name}`) ?? '');
    expect(elsewhere).not.toEqual([]);
    expect(exportedNames(files.get(`node/${name}`) ?? '')).toEqual(elsewhere);
  });
});
