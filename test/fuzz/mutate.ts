import type { Random } from './random.ts';

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const block = 512;

/** Numbers that have broken parsers before. */
const oddNumbers = ['-1', '0', '1e999', 'NaN', '9007199254740993', '18446744073709551616', '0.5', '00', '4294967296', 'null', '""'];
const oddTexts = ['../../etc/passwd', 'sha256:', `sha256:${'A'.repeat(64)}`, '\\u0000', '\\ud800', '__proto__', 'x'.repeat(5000), '/', '.'];

function splice(bytes: Uint8Array, start: number, end: number, middle: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(end)]);
}

function blockAt(bytes: Uint8Array, random: Random): number {
  return random.below(Math.floor(bytes.byteLength / block)) * block;
}

/** A tar header's checksum made right again, so that what was changed is looked at. */
function sealHeader(bytes: Uint8Array, at: number): void {
  if (at + block > bytes.byteLength) return;
  bytes.fill(0x20, at + 148, at + 156);
  let sum = 0;
  for (let i = at; i < at + block; i++) sum += bytes[i] ?? 0;
  bytes.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `, 'latin1'), at + 148);
}

/** Fields of a tar header: where and how long. */
const fields = [[0, 100], [100, 8], [108, 8], [116, 8], [124, 12], [136, 12], [156, 1], [157, 100], [257, 8], [345, 155]] as const;

/** The texts of the archive's JSON documents are found by their braces. */
function inJson(pattern: RegExp, replacement: (random: Random) => string): Mutation {
  return (bytes, random) => {
    const text = Buffer.from(bytes).toString('latin1');
    const found = [...text.matchAll(pattern)];
    if (found.length === 0) return bytes;
    const match = random.pick(found);
    const length = match[0].length;
    // Of the same length, so that the archive's frame stays whole.
    const other = replacement(random).slice(0, length).padEnd(length, ' ');
    return splice(bytes, match.index, match.index + length, Buffer.from(other, 'latin1'));
  };
}

export const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const changed = Uint8Array.from(bytes);
    for (let n = random.below(4); n >= 0; n--) {
      const at = random.below(changed.byteLength);
      changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    }
    return changed;
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.byteLength));
  },
  function overwrite(bytes, random) {
    const changed = Uint8Array.from(bytes);
    const at = random.below(changed.byteLength);
    changed.set(random.bytes(Math.min(random.below(64) + 1, changed.byteLength - at)), at);
    return changed;
  },
  function dropBlocks(bytes, random) {
    const at = blockAt(bytes, random);
    return splice(bytes, at, at + block * (random.below(4) + 1), new Uint8Array());
  },
  function repeatBlocks(bytes, random) {
    const at = blockAt(bytes, random);
    const from = blockAt(bytes, random);
    return splice(bytes, at, at, bytes.subarray(from, from + block * (random.below(6) + 1)));
  },
  function swapBlocks(bytes, random) {
    const changed = Uint8Array.from(bytes);
    const [a, b] = [blockAt(bytes, random), blockAt(bytes, random)];
    changed.set(bytes.subarray(a, a + block), b);
    changed.set(bytes.subarray(b, b + block), a);
    return changed;
  },
  function changeHeader(bytes, random) {
    const changed = Uint8Array.from(bytes);
    const headers: number[] = [];
    for (let at = 0; at + block <= bytes.byteLength; at += block) {
      if (Buffer.from(bytes.subarray(at + 257, at + 262)).toString('latin1') === 'ustar') headers.push(at);
    }
    if (headers.length === 0) return bytes;
    const at = random.pick(headers);
    const [start, length] = random.pick(fields);
    const value = random.pick([random.bytes(length), Buffer.from('7'.repeat(length)), Buffer.alloc(length, 0xff), Buffer.alloc(length), Buffer.from('../../../../x'.slice(0, length)), Buffer.from('\x80'.padEnd(length, '\x01'), 'latin1')]);
    changed.set(value.subarray(0, length), at + start);
    sealHeader(changed, at);
    return changed;
  },
  inJson(/(?<=":)\d+(?=[,}])/g, (random) => random.pick(oddNumbers)),
  inJson(/(?<=":")[^"]{1,80}(?=")/g, (random) => random.pick(oddTexts)),
  inJson(/(?<=")(?:mediaType|digest|size|manifests|layers|config|schemaVersion|Config|Layers|RepoTags)(?=":)/g, (random) => random.pick(['digest', 'size', 'layers', 'config', 'manifests', 'x'])),
  inJson(/(?<=sha256:)[0-9a-f]{64}/g, (random) => Buffer.from(random.bytes(32)).toString('hex')),
  function append(bytes, random) {
    return splice(bytes, bytes.byteLength, bytes.byteLength, random.bytes(random.below(3000)));
  },
];

/** One to four mutations, one after the other. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let changed = bytes;
  for (let n = random.below(4); n >= 0 && changed.byteLength > 0; n--) changed = random.pick(mutations)(changed, random);
  return changed;
}
