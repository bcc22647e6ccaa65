import { describe, expect, it } from 'vitest';
import { sourceFiles, withoutComments } from './source-files.ts';

const files = new Map(sourceFiles('packages/core/src').map(({ path, text }) => [path, withoutComments(text)]));

/** The names in a list such as `a, b as c, type D`, without the types. */
function names(list: string, side: 'asked' | 'given'): string[] {
  const items = list.split(',').map((item) => item.trim());
  const values = items.filter((item) => item !== '' && !item.startsWith('type '));
  return values.map((item) => item.split(/\s+as\s+/).at(side === 'asked' ? 0 : -1) ?? '');
}

/** What the library asks of each piece of the runtime, as `file name`. */
const asked = [...files.values()].flatMap((text) =>
  [...text.matchAll(/^(?:import|export) \{([^}]*)\} from '#runtime\/([\w-]+)'/gm)].flatMap((match) =>
    names(match[1] ?? '', 'asked').map((name) => `${match[2]} ${name}`),
  ),
);

/** The names that a file exports as values. */
function exportedNames(text: string): string[] {
  const declared = [...text.matchAll(/^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm)].map((match) => match[1] ?? '');
  const listed = [...text.matchAll(/^export \{([^}]*)\}/gm)].flatMap((match) => names(match[1] ?? '', 'given'));
  return [...declared, ...listed];
}

describe('the runtime', () => {
  it('is asked for something', () => {
    expect(asked).toContain('digester createDigester');
  });

  // The compiler looks at Node's face only.
  it.each(['node', 'default'])('has all that the library asks of it in its face for %s', (face) => {
    const missing = [...new Set(asked)].filter((wish) => {
      const [file, name = ''] = wish.split(' ');
      return !exportedNames(files.get(`runtime/${face}/${file}.ts`) ?? '').includes(name);
    });
    expect(missing).toEqual([]);
  });
});
