// node scripts/deflate.mjs: compiles packages/core/deflate, which is AssemblyScript, into packages/core/src/runtime/deflate-module.js.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, runTool } from './workspace.mjs';

export const deflateModulePath = join(root, 'packages/core/src/runtime/deflate-module.js');

/**
 * Its memory is laid out by the compiler and never grows; nothing is allocated, so there is no runtime. The compiler is pinned to one version: another one
 * would write another module.
 */
const options = ['-O3', '--runtime', 'stub', '--noAssert', '--uncheckedBehavior', 'always', '--enable', 'bulk-memory'];

/** The text of deflate-module.js. Throws when it does not compile; the compiler has said why. */
export function compileDeflate() {
  const folder = mkdtempSync(join(tmpdir(), 'oci-tar-deflate-'));
  try {
    const file = join(folder, 'deflate.wasm');
    if (runTool('asc', ['packages/core/deflate/index.ts', '--outFile', file, ...options]) !== 0) throw new Error('the deflate module does not compile');
    const lines = readFileSync(file).toString('base64').match(/.{1,140}/g) ?? [];
    return `// Made of packages/core/deflate by scripts/deflate.mjs.\n\n/** The module, in base64. */\nexport const deflateModule =\n  ${lines.map((line) => `'${line}'`).join(' +\n  ')};\n`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(deflateModulePath, compileDeflate());
