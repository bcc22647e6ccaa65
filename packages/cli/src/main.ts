import { readFileSync, writeSync } from 'node:fs';

/** From package.json, which lies one folder above the sources and above the bundle alike. */
const version = /"version":\s*"([^"]+)"/.exec(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))?.[1] ?? 'unknown';
const args = process.argv.slice(2);

// Answered before anything else is loaded, process.stdout included: scripts ask for it often.
if (args.length === 1 && (args[0] === '--version' || args[0] === '-v')) writeSync(1, `${version}\n`);
else void import('./program.ts').then(({ program }) => program(args, version));
