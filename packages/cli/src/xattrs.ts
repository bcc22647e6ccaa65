import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { posix } from 'node:path';
import { createInterface } from 'node:readline';
import { OciTarError } from '@oci-tar/core';
import type { PackOptions } from '@oci-tar/core';

type Attributes = ReadonlyMap<string, Uint8Array>;

/** Bytes of a tree's attributes that are held: 256 MiB. Most trees have none. */
const mostBytes = 256 * 1024 * 1024;

/** Those that belong to the files. ACLs, labels and what overlayfs keeps belong to the system that they are on. */
const carried = /^(?:user\.|security\.capability$|trusted\.(?!overlay\.))/;

/**
 * The extended attributes of files and directories with all that is in them, for `packFiles`. Node cannot read them, so
 * `getfattr` of the system does, all at once and before the first file is packed. UNSUPPORTED where it is not there.
 */
export async function readXattrs(sources: readonly string[], signal: AbortSignal): Promise<NonNullable<PackOptions['xattrs']>> {
  const found = new Map<string, Attributes>();
  const here = latin1(process.cwd());
  const key = (path: string) => posix.resolve(here, path);
  if (sources.length > 0) await collect(sources, found, key, signal);
  return async (_, bytes) => found.get(key(Buffer.from(bytes).toString('latin1'))) ?? none;
}

const none: Attributes = new Map();

async function collect(sources: readonly string[], found: Map<string, Attributes>, key: (path: string) => string, signal: AbortSignal): Promise<void> {
  // A link is packed as one, but for `link/`, which getfattr would not follow.
  const places = sources.map((source) => (lstatSync(source, { throwIfNoEntry: false })?.isDirectory() === true ? `${source}/.` : source));
  const child = spawn('getfattr', ['--absolute-names', '--recursive', '--physical', '--no-dereference', '--dump', '--match=-', '--encoding=hex', '--', ...places], { stdio: ['ignore', 'pipe', 'ignore'], signal, env: { ...process.env, LC_ALL: 'C' } });
  const closed = once(child, 'close').then(
    ([status]: unknown[]) => status,
    (cause: unknown) => {
      signal.throwIfAborted();
      throw new OciTarError('UNSUPPORTED', 'extended attributes are read by getfattr, which is not there', { cause, hint: 'Install it (the package attr on Debian), or leave --xattrs out.' });
    },
  );
  // It is awaited below, when all lines have come.
  closed.catch(() => {});
  child.stdout.setEncoding('latin1');
  let held = 0;
  let attributes: Map<string, Uint8Array> | undefined;
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
    held += line.length;
    if (held > mostBytes) {
      child.kill();
      throw new OciTarError('LIMIT_EXCEEDED', `the extended attributes take more than ${mostBytes} bytes`, { limit: mostBytes });
    }
    const path = /^# file: (.*)$/.exec(line)?.[1];
    if (path !== undefined) found.set(key(unquoted(path)), (attributes = new Map()));
    const [, name = '', hex = ''] = /^([^#=][^=]*)(?:=(?:0x)?([0-9a-fA-F]*)"*)?$/.exec(line) ?? [];
    const plain = utf8(unquoted(name));
    if (carried.test(plain)) attributes?.set(plain, Buffer.from(hex, 'hex'));
  }
  const status = await closed;
  signal.throwIfAborted();
  // 1: a file was gone or not readable, which the packing itself tells.
  if (status !== 0 && status !== 1) throw new OciTarError('UNSUPPORTED', `getfattr ended with status ${String(status)}`, { hint: 'Leave --xattrs out.' });
}

/** A backslash and three octal digits stand for what would tear a line. */
function unquoted(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString();
}
