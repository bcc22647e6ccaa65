import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Daemons lie in the system's directories, which a user's PATH may leave out. */
const searchPath = [process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(delimiter);

export function has(tool: string): boolean {
  return searchPath.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, tool)));
}

/** Why these tools cannot be used here; undefined where they can. Daemons, and podman on a root of its own, need root. */
export function lacking(tools: readonly string[], asRoot = false): string | undefined {
  const absent = tools.filter((tool) => !has(tool));
  if (absent.length > 0) return `${absent.join(' and ')} not installed`;
  return asRoot && process.getuid?.() !== 0 ? `${tools.join(' and ')} need root` : undefined;
}

/** What a tool prints on stdout. Throws with all that it printed when it fails. */
export async function run(tool: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  try {
    const { stdout } = await execute(tool, args, { env: { ...process.env, PATH: searchPath, ...env }, maxBuffer: 2 ** 26, timeout: 100_000 });
    return stdout;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const printed = ['stdout', 'stderr'].map((key) => String(Reflect.get(error, key) ?? '')).join('\n');
    throw new Error(`${tool} ${args.join(' ')}\n${printed.trim() === '' ? error.message : printed.trim()}`, { cause: error });
  }
}

/** The message with which a tool fails; throws when it does not. */
export async function failureOf(running: Promise<unknown>): Promise<string> {
  const message = await running.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (message === undefined) throw new Error('the tool was expected to fail and did not');
  return message;
}

export { searchPath };
