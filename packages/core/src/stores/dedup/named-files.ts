import { lstatSync, mkdirSync, readlinkSync, renameSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { OciTarError } from '../../errors.ts';
import { randomHex } from '../../runtime/node/builtins.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { payloadName } from '../../tar/split/assemble.ts';
import type { NamedKey, PayloadSource, PayloadWriter } from '../../tar/split/payloads.ts';
import { StagedPayload, writeWhole } from './payload-directory.ts';
import type { OpenPayloadSink, PayloadCounts } from './payload-directory.ts';
import { payloadFile, readPayload } from './payload-file.ts';

/**
 * A directory tree of payloads by their names in the archive, as upstream's tool reads them. Nothing is written outside of it:
 * UNSAFE_PATH for a name with `..`, and where a symbolic link stands in the way. Folders are made, files replaced whole.
 */
export async function namedFilesSink(root: string): Promise<OpenPayloadSink<NamedKey>> {
  const staging = `${root}/.${randomHex(8)}.tmp`;
  await mkdir(staging, { recursive: true }).catch((error: unknown) => {
    throw mapErrno(error, root);
  });
  return new NamedFilesSink(root, staging);
}

class NamedFilesSink implements OpenPayloadSink<NamedKey> {
  counts: PayloadCounts = { payloads: 0, bytes: 0, written: 0, writtenBytes: 0 };
  readonly #root: string;
  readonly #staging: string;
  readonly #folders = new Set<string>();
  #next = 0;

  constructor(root: string, staging: string) {
    this.#root = root;
    this.#staging = staging;
  }

  put(key: NamedKey, bytes: Uint8Array): void {
    const staged = `${this.#staging}/${this.#next++}`;
    writeWhole(staged, bytes);
    this.#adopt(staged, key);
  }

  async begin(): Promise<PayloadWriter<NamedKey>> {
    const staged = `${this.#staging}/${this.#next++}`;
    const file = await StagedPayload.open(staged);
    return {
      write: (bytes) => file.write(bytes),
      commit: async (key) => {
        await file.close();
        this.#adopt(staged, key);
      },
      abort: () => file.close().catch(() => {}),
    };
  }

  async close(): Promise<void> {
    await rm(this.#staging, { recursive: true, force: true });
  }

  #adopt(staged: string, key: NamedKey): void {
    const parts = partsOf(key);
    let place = Buffer.from(this.#root);
    for (const [depth, part] of parts.entries()) {
      place = Buffer.concat([place, slash, part]);
      if (depth < parts.length - 1) this.#makeFolder(place, key);
    }
    try {
      renameSync(staged, place);
    } catch (error) {
      throw mapErrno(error, place.toString());
    }
    const { payloads, bytes, written, writtenBytes } = this.counts;
    this.counts = { payloads: payloads + 1, bytes: bytes + key.size, written: written + 1, writtenBytes: writtenBytes + key.size };
  }

  #makeFolder(place: Buffer, key: NamedKey): void {
    const known = place.toString('latin1');
    if (this.#folders.has(known)) return;
    try {
      mkdirSync(place);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw mapErrno(error, place.toString());
      if (!lstatSync(place).isDirectory()) throw unsafe(key, `${place.toString()} is no directory`);
    }
    this.#folders.add(known);
  }
}

const slash = Buffer.from('/');

/** The parts of a name that stays inside. */
function partsOf(key: NamedKey): readonly Buffer[] {
  const parts: Buffer[] = [];
  const name = Buffer.from(key.name);
  for (let start = 0; start <= name.length; ) {
    const found = name.indexOf(0x2f, start);
    const end = found < 0 ? name.length : found;
    const part = name.subarray(start, end);
    start = end + 1;
    if (part.length === 0 || part.equals(dot)) continue;
    if (part.equals(dots)) throw unsafe(key, 'it has the part ..');
    if (part.includes(0)) throw unsafe(key, 'it has a NUL in it');
    parts.push(part);
  }
  if (parts.length === 0) throw unsafe(key, 'it names no file');
  return parts;
}

const dot = Buffer.from('.');
const dots = Buffer.from('..');

/** Whether this is the name of a file, and not nothing, the folder itself or the one above. */
function isPart(part: Buffer): boolean {
  return part.length > 0 && !part.equals(dot) && !part.equals(dots) && !part.includes(0);
}

function unsafe(key: NamedKey, why: string): OciTarError {
  return new OciTarError('UNSAFE_PATH', `the payload ${payloadName(key)} cannot be a file of the directory: ${why}`, { subject: payloadName(key) });
}

/** How many symbolic links a name may lead through, as Linux has it. */
const mostLinks = 40;

/**
 * The files of a directory tree by name, such as a layer that docker has unpacked. A symbolic link on the way to a file is
 * followed as if the directory were the root of the file system, so that nothing outside of it is read.
 */
export function namedFilesSource(root: string): PayloadSource {
  /** Folders that have been looked at, by name, with where they really are, a slash at the end. */
  const folders = new Map<string, Buffer>();
  const placeOf = (key: NamedKey): Buffer => {
    const name = Buffer.from(key.name.buffer, key.name.byteOffset, key.name.length);
    const start = name.lastIndexOf(0x2f) + 1;
    const above = name.toString('latin1', 0, start);
    const last = name.subarray(start);
    const known = isPart(last) ? folders.get(above) : undefined;
    if (known !== undefined) return Buffer.concat([known, last]);
    const parts = partsOf(key);
    const folder = Buffer.concat([insideOf(Buffer.from(root), parts.slice(0, -1), key), slash]);
    if (isPart(last)) folders.set(above, folder);
    return Buffer.concat([folder, parts.at(-1) ?? dot]);
  };
  return {
    open(key) {
      if ('digest' in key) {
        throw new OciTarError('UNSUPPORTED', `the metadata name the payload ${key.digest} by its digest, and ${root} has files by name`, { subject: root });
      }
      return payloadFile(placeOf(key), key);
    },
    readInto: (key, target) => !('digest' in key) && readPayload(placeOf(key), target),
  };
}

function insideOf(root: Buffer, parts: readonly Buffer[], key: NamedKey): Buffer {
  const left = parts.toReversed();
  let reached: Buffer[] = [];
  for (let links = 0, part = left.pop(); part !== undefined; part = left.pop()) {
    if (part.equals(dots)) {
      reached.pop();
      continue;
    }
    const place = Buffer.concat([root, ...[...reached, part].flatMap((one) => [slash, one])]);
    const stats = statOf(place, key);
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > mostLinks) throw unsafe(key, `it leads through more than ${mostLinks} symbolic links`);
      const target = readlinkSync(place, { encoding: 'buffer' });
      if (target[0] === 0x2f) reached = [];
      for (const one of linkParts(target).toReversed()) left.push(one);
    } else if (stats.isDirectory()) reached.push(part);
    else throw unsafe(key, `${place.toString()} is no directory`);
  }
  return Buffer.concat([root, ...reached.flatMap((one) => [slash, one])]);
}

function linkParts(target: Buffer): Buffer[] {
  return target
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .map((part) => Buffer.from(part, 'latin1'));
}

function statOf(place: Buffer, key: NamedKey): Stats {
  try {
    return lstatSync(place);
  } catch (error) {
    throw errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR'
      ? new OciTarError('NOT_FOUND', `there is no file for the payload ${payloadName(key)} (${key.size} bytes)`, { subject: place.toString(), cause: error })
      : mapErrno(error, place.toString());
  }
}
