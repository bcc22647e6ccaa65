// Writes packages/core/src/stores/containerd/protos.ts from the .proto files beside it, so that neither the library nor the
// bundled command line has to find them on disk. Run it after a change there: node scripts/protos.mjs
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './workspace.mjs';

const folder = join(root, 'packages/core/src/stores/containerd');
export const protosFile = join(folder, 'protos.ts');

/** The text of protos.ts. The parser is the loader's own. */
export function protosText() {
  const fromCore = createRequire(join(root, 'packages/core/package.json'));
  /** @type {{ Root: new () => { resolvePath: (origin: string, target: string) => string, loadSync: (paths: string[]) => { resolveAll: () => unknown, toJSON: () => object } } }} */
  const protobuf = createRequire(fromCore.resolve('@grpc/proto-loader'))('protobufjs');
  const loaded = new protobuf.Root();
  const resolvePath = loaded.resolvePath.bind(loaded);
  // Google's own types are known to the parser, ours are all in one folder.
  loaded.resolvePath = (origin, target) => (target.startsWith('google/') ? resolvePath(origin, target) : join(folder, 'proto', target));
  const files = readdirSync(join(folder, 'proto')).filter((name) => name.endsWith('.proto')).toSorted();
  const json = loaded.loadSync(files).toJSON();
  for (const name of files) if (!readFileSync(join(folder, 'proto', name), 'utf8').includes('syntax = "proto3"')) throw new Error(`${name} is not proto3`);
  return `// Written by scripts/protos.mjs from proto/*.proto; change those instead.\n/** All of them in protobuf.js's own form, as JSON. */\nexport const protos: string = ${quoted(JSON.stringify(json))};\n`;
}

/** @param {string} text without quotes of this kind, as identifiers and types are */
function quoted(text) {
  if (/['\\\n]/.test(text)) throw new Error('the declarations cannot be quoted');
  return `'${text}'`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(protosFile, protosText());
