import { readFileSync } from 'node:fs';

/** The version in package.json, which lies one folder above the sources and above the bundle alike. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}
