import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { keepCompiled } from './compiled.ts';
import { preferSmallHeap } from './small-heap.ts';

/** From package.json, which lies one folder above the sources and above the bundle alike. */
const version = /"version":\s*"([^"]+)"/.exec(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))?.[1] ?? 'unknown';
const args = process.argv.slice(2);

// Answered before anything else is loaded, process.stdout included: scripts ask for it often.
if (args.length === 1 && (args[0] === '--version' || args[0] === '-v')) writeSync(1, `${version}\n`);
else {
  // Not where much comes in small pieces, which would be collected all the time: from a registry (0.3 s of a pull of 450 MB), or as members of seekable
  // layers (0.6 s of a build of 250 MB, for 50 MiB).
  if (!args.some((arg) => arg.startsWith('docker://')) && !['estargz', 'convert'].includes(args[0] ?? '')) preferSmallHeap();
  // With V8 set as it stays: compiled code is good for one set of flags.
  keepCompiled(fileURLToPath(import.meta.url), version);
  void import('./program.ts').then(({ program }) => program(args, version));
}
