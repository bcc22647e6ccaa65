import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** How much of what a program complains about is kept, in characters. */
const mostSaid = 1024 * 1024;

export interface HelperResult {
  /** Whether the program is there at all. */
  readonly found: boolean;
  readonly ok: boolean;
  readonly complaints: string;
}

/**
 * Runs a program of the system with open directories of ours. `input` makes what it reads; for a name in a directory it asks for the
 * place at which the program finds it. The handles that it asks with must stay open until the call returns its promise.
 */
export async function runHelper(program: string, args: readonly string[], input: (place: (handle: number, name: string) => string) => Uint8Array): Promise<HelperResult> {
  const handles: number[] = [];
  const bytes = input((handle, name) => {
    const found = handles.indexOf(handle);
    const position = found === -1 ? handles.push(handle) - 1 : found;
    return `/proc/self/fd/${3 + position}/${name}`;
  });
  // The system's own programs only, and their words as they are known here.
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe', ...handles], env, cwd: '/' });
  let complaints = '';
  child.stderr?.setEncoding('latin1').on('data', (text: string) => {
    if (complaints.length < mostSaid) complaints += text;
  });
  // A program that ends before it has read everything says why by its status.
  child.stdin?.on('error', () => {});
  child.stdin?.end(bytes);
  try {
    const [status] = (await once(child, 'close')) as [number | null];
    return { found: true, ok: status === 0, complaints };
  } catch {
    return { found: false, ok: false, complaints };
  }
}
