// Has the bundle import each name of @oci-tar/core from the file that defines it. Through index.ts, which knows them all,
// every command's chunk would hold the whole library: half of what a command reads when it starts.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { root } from './workspace.mjs';

const sources = join(root, 'packages/core/src');

/** @returns {import('esbuild').Plugin} */
export function straightImports() {
  return {
    name: 'straight-imports',
    setup({ onLoad }) {
      const origins = originsOf(join(sources, 'index.ts'));
      onLoad({ filter: /packages[\\/]cli[\\/]src[\\/].*\.ts$/ }, ({ path }) => ({
        contents: straightened(readFileSync(path, 'utf8'), origins),
        loader: 'ts',
      }));
    },
  };
}

/**
 * @param {string} text
 * @param {ReadonlyMap<string, Origin>} origins
 */
function straightened(text, origins) {
  return text.replace(/^import \{([^}]*)\} from '@oci-tar\/core';$/gm, (_line, names) =>
    String(names)
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((given) => {
        const [exported = '', local = exported] = given.split(' as ');
        const origin = origins.get(exported);
        if (origin === undefined) throw new Error(`packages/core/src/index.ts exports no ${exported}`);
        return `import { ${origin.name} as ${local} } from ${JSON.stringify(origin.file)};`;
      })
      .join(' '),
  );
}

/** @typedef {{ readonly file: string, readonly name: string }} Origin the file that defines a value, and its name there */

/**
 * The values that a file exports, by name.
 * @param {string} file
 * @returns {ReadonlyMap<string, Origin>}
 */
function originsOf(file) {
  const text = readFileSync(file, 'utf8');
  /** @type {Map<string, Origin>} */
  const found = new Map();
  for (const [, name = ''] of text.matchAll(/^export (?:async )?(?:const|let|class|function\*?) (\w+)/gm)) found.set(name, { file, name });
  for (const [, names = '', from = ''] of text.matchAll(/^export \{([^}]*)\} from '([^']+)';$/gm)) {
    for (const one of names.split(',').map((text) => text.trim())) {
      const [name = '', exported = name] = one.split(' as ');
      if (name !== '') found.set(exported, { file: resolved(from, file), name });
    }
  }
  for (const [, from = ''] of text.matchAll(/^export \* from '([^']+)';$/gm)) {
    for (const [name, origin] of originsOf(resolved(from, file))) found.set(name, origin);
  }
  return found;
}

/**
 * @param {string} from
 * @param {string} file
 */
function resolved(from, file) {
  return from.startsWith('#runtime/') ? join(sources, 'runtime/node', `${from.slice('#runtime/'.length)}.ts`) : resolve(dirname(file), from);
}
