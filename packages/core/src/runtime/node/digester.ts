import { blake3 } from '@noble/hashes/blake3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Digester, HashAlgorithm } from '../digester.ts';
import { nodeCrypto } from './builtins.ts';
import { threadDigester } from './hash-pool.ts';

/** Below this a blob is hashed before a thread would have heard of it. */
const threadFrom = 4 * 1024 * 1024;

/**
 * Above this rate hashing costs the main thread less than handing the bytes over would gain:
 * with SHA instructions 1,950 MB/s were measured, without them 700 MB/s and less.
 */
const fastEnough = 1_000_000_000;

/**
 * A digester for a blob of `size` bytes (unknown: large). Big blobs are hashed on worker threads
 * where the processor hashes slowly.
 */
export function createDigester(algorithm: HashAlgorithm, options: { readonly size?: number } = {}): Digester {
  if (algorithm === 'blake3') return nobleBlake3();
  const onThread = (options.size ?? Infinity) >= threadFrom && hashesSlowly(algorithm);
  return (onThread ? threadDigester(algorithm) : undefined) ?? inlineDigester(algorithm);
}

function inlineDigester(algorithm: 'sha256' | 'sha512'): Digester {
  const hash = nodeCrypto().createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    hex: () => hash.digest('hex'),
    dispose: () => {},
  };
}

function nobleBlake3(): Digester {
  const hash = blake3.create();
  return {
    update: (chunk) => void hash.update(chunk),
    hex: () => bytesToHex(hash.digest()),
    dispose: () => hash.destroy(),
  };
}

const slow = new Map<HashAlgorithm, boolean>();

function hashesSlowly(algorithm: 'sha256' | 'sha512'): boolean {
  const known = slow.get(algorithm);
  if (known !== undefined) return known;
  const sample = new Uint8Array(256 * 1024);
  // The first call pays for loading the algorithm.
  nodeCrypto().createHash(algorithm).update(sample.subarray(0, 4096)).digest();
  const start = process.hrtime.bigint();
  nodeCrypto().createHash(algorithm).update(sample).digest();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const result = sample.byteLength / seconds < fastEnough;
  slow.set(algorithm, result);
  return result;
}
