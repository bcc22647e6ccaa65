import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { root } from './source-files.ts';

/** Everything that reading an image takes, from bytes that are already in memory. */
const readSide = [
  'errors.ts',
  'bytes/stream.ts',
  'bytes/digest.ts',
  'spec/digest.ts',
  'spec/document.ts',
  'spec/reference.ts',
  'tar/entries.ts',
  'tar/seek.ts',
  'compression/codecs.ts',
  'image/make-plan.ts',
  'layout/files.ts',
  'drivers/memory.ts',
  'drivers/tar-reader.ts',
  'stores/layout.ts',
];

const { outputFiles, metafile } = await build({
  stdin: {
    contents: readSide.map((path, at) => `export * as part${at} from './${path}';`).join('\n'),
    resolveDir: join(root, 'packages/core/src'),
  },
  absWorkingDir: root,
  outdir: 'unused',
  bundle: true,
  platform: 'browser',
  format: 'iife',
  globalName: 'readSide',
  target: 'es2023',
  conditions: ['@oci-tar/source', 'browser'],
  metafile: true,
  write: false,
  logLevel: 'silent',
});
const bundle = outputFiles[0]?.text ?? '';

describe('the read side in a browser', () => {
  it('consists of everything that was asked for', () => {
    const inputs = Object.keys(metafile.inputs);
    expect(inputs).toEqual(expect.arrayContaining(readSide.map((path) => `packages/core/src/${path}`)));
  });

  it('has nothing of Node in it', () => {
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports.map((found) => found.path));
    expect(imports.filter((path) => path.startsWith('node:') || builtinModules.includes(path))).toEqual([]);
    expect(Object.keys(metafile.inputs).filter((path) => path.includes('/runtime/node/'))).toEqual([]);
    expect(bundle).not.toMatch(/["']node:/);
  });

  it('starts where there is neither Buffer nor process', () => {
    const context = createContext({ TextDecoder, TextEncoder, URL, AbortController, AbortSignal, setTimeout, clearTimeout, queueMicrotask, MessageChannel, crypto });
    expect(runInContext(`${bundle}\ntypeof Buffer + typeof process + Object.keys(readSide).length`, context)).toBe(`undefinedundefined${readSide.length}`);
  });
});
