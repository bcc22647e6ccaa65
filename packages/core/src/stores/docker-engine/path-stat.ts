import * as v from 'valibot';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { check, looseFields, parseObject, size, text } from '../../spec/schema.ts';

/** What a path in a container is. */
export interface PathStat {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** In bytes. */
  readonly size: number;
  /** POSIX permission bits, 0 to 07777. */
  readonly mode: number;
  /** RFC 3339, as the engine has it. */
  readonly mtime: string;
  /** Of a symlink: where it leads in the container, followed to its end. */
  readonly linkTarget: string;
}

/** The header may be so long; a path has up to 4,096 bytes. */
const headerLimit = 64 * 1024;

const statSchema = looseFields({ name: text, size: v.number('must be a number'), mode: size, mtime: text, linkTarget: v.exactOptional(text) });

/** Go's os.FileMode: its bits for kinds and for setuid, setgid and sticky lie elsewhere than POSIX has them. */
const kinds: readonly (readonly [bit: number, type: PathStat['type']])[] = [
  [2 ** 31, 'directory'],
  [2 ** 27, 'symlink'],
  // Device, fifo, socket, character device, irregular.
  [2 ** 26 + 2 ** 25 + 2 ** 24 + 2 ** 21 + 2 ** 19, 'other'],
];
const specialBits: readonly (readonly [goBit: number, posix: number])[] = [
  [2 ** 23, 0o4000],
  [2 ** 22, 0o2000],
  [2 ** 20, 0o1000],
];

/** Reads the header X-Docker-Container-Path-Stat: JSON in base64. ENGINE for what is none. */
export function parsePathStat(header: string | undefined, path: string): PathStat {
  if (header === undefined || header.length > headerLimit || !/^[A-Za-z0-9+/]+={0,2}$/.test(header)) throw strangeStat(path);
  try {
    const where = `what the engine says of ${path}`;
    const { name, size: bytes, mode, mtime, linkTarget = '' } = check(statSchema, parseObject(Buffer.from(header, 'base64'), { subject: where }, where), where);
    const type = kinds.find(([bits]) => isSet(mode, bits))?.[1] ?? 'file';
    const special = specialBits.reduce((sum, [goBit, posix]) => sum + (isSet(mode, goBit) ? posix : 0), 0);
    return { name, type, size: bytes, mode: (mode % 0o1000) + special, mtime, linkTarget };
  } catch (error) {
    throw isOciTarError(error) ? strangeStat(path, error) : error;
  }
}

/** Whether one of these bits is set; the highest is beyond what the bit operators take for positive. */
function isSet(mode: number, bits: number): boolean {
  return (mode & bits) !== 0;
}

function strangeStat(path: string, cause?: unknown): OciTarError {
  return new OciTarError('ENGINE', `the docker engine does not say what ${path} is`, { subject: path, ...(cause === undefined ? {} : { cause }) });
}
