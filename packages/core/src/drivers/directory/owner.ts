import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { randomHex } from '../../runtime/node/builtins.ts';

/** Who holds a lock or a staging folder: enough to tell, on the same host, whether it still runs. */
export interface Owner {
  /** Of this one holding, 16 hex digits. It becomes part of file names. */
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  /** `/etc/machine-id`: two hosts may have one name. */
  readonly machine?: string;
  /** The kernel's id of this boot. */
  readonly boot?: string;
  /** The PID namespace: another container counts its processes anew. */
  readonly namespace?: string;
  /** When the process started, in clock ticks since boot: a PID is given out again. */
  readonly start?: string;
}

type Place = Omit<Owner, 'id'>;

let place: Promise<Place> | undefined;

/** This process, under a new id. */
export async function newOwner(): Promise<Owner> {
  return { id: randomHex(8), ...(await here()) };
}

function here(): Promise<Place> {
  place ??= findPlace();
  return place;
}

async function findPlace(): Promise<Place> {
  const machine = await line(readFile('/etc/machine-id', 'utf8'));
  const boot = await line(readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
  const namespace = await line(readlink('/proc/self/ns/pid'));
  const self = await processStat('self');
  return {
    pid: process.pid,
    host: hostname(),
    ...(machine === undefined ? {} : { machine }),
    ...(boot === undefined ? {} : { boot }),
    ...(namespace === undefined ? {} : { namespace }),
    // A /proc of another PID namespace (some chroots) would be about other processes.
    ...(self === undefined || self.pid !== process.pid ? {} : { start: self.start }),
  };
}

/**
 * `dead` and `alive` are certain. `unknown` (another host or container, no /proc to compare start times with) leaves it
 * to the time since the owner last touched its file.
 */
export async function liveness(owner: Owner): Promise<'alive' | 'dead' | 'unknown'> {
  const local = await here();
  if (owner.host !== local.host || owner.machine !== local.machine) return 'unknown';
  // Without a machine id the other boot may be that of another machine with the same name.
  if (owner.boot !== local.boot) return owner.machine === undefined ? 'unknown' : 'dead';
  if (owner.namespace !== local.namespace) return 'unknown';
  const stat = local.start === undefined ? undefined : await processStat(owner.pid);
  if (stat === undefined || owner.start === undefined) return exists(owner.pid) ? 'unknown' : 'dead';
  // A zombie (Z) or dead (X) process has a PID but will never release anything.
  return stat.start === owner.start && stat.state !== 'Z' && stat.state !== 'X' ? 'alive' : 'dead';
}

/** An owner as `JSON.stringify` wrote it; `undefined` for anything else, such as a file whose writer was killed half-way. */
export function parseOwner(text: string): Owner | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isOwner(value) ? value : undefined;
}

function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false;
  if (!('id' in value) || typeof value.id !== 'string' || !/^[0-9a-f]{16}$/.test(value.id)) return false;
  if (!('pid' in value) || typeof value.pid !== 'number' || !Number.isSafeInteger(value.pid) || value.pid < 1) return false;
  if (!('host' in value) || typeof value.host !== 'string') return false;
  const rest = new Map<string, unknown>(Object.entries(value));
  return ['machine', 'boot', 'namespace', 'start'].every((key) => !rest.has(key) || typeof rest.get(key) === 'string');
}

/** From /proc/<pid>/stat (proc(5)): fields 1, 3 and 22. The name in field 2 may hold spaces and brackets of its own. */
async function processStat(pid: number | 'self'): Promise<{ pid: number; state: string; start: string } | undefined> {
  const text = await line(readFile(`/proc/${pid}/stat`, 'utf8'));
  if (text === undefined) return undefined;
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const start = rest[18];
  return state === undefined || start === undefined ? undefined : { pid: Number.parseInt(text, 10), state, start };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, under another user.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

async function line(text: Promise<string>): Promise<string | undefined> {
  const trimmed = (await text.catch(() => '')).trim();
  return trimmed === '' ? undefined : trimmed;
}
