import { blake3 } from '@noble/hashes/blake3.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Digester, HashAlgorithm } from '../digester.ts';

const hashes = { sha256, sha512, blake3 };

/** The portable digester, in plain JavaScript. */
export function createDigester(algorithm: HashAlgorithm, _options: { readonly size?: number } = {}): Digester {
  const hash = hashes[algorithm].create();
  return {
    update: (chunk) => void hash.update(chunk),
    hex: async () => bytesToHex(hash.digest()),
    dispose: () => hash.destroy(),
  };
}
