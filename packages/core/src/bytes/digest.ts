import { createDigester } from '#runtime/digester';
import { OciTarError } from '../errors.ts';
import type { Digester } from '../runtime/digester.ts';
import { formatDigest, hashAlgorithm } from '../spec/digest.ts';
import type { Digest, HashAlgorithm } from '../spec/digest.ts';
import type { ByteStream } from './types.ts';

/** What bytes are promised to be. */
export interface Expected {
  readonly digest?: Digest;
  /** In bytes. */
  readonly size?: number;
}

/** Counts and digests bytes on their way, and tells whether they are what was promised. */
export class Verifier {
  readonly #expected: Expected;
  readonly #algorithm: HashAlgorithm;
  readonly #digester: Digester;
  readonly #subject: string;
  #size = 0;

  /** UNSUPPORTED when the expected digest is of an algorithm that cannot be computed here. */
  constructor(expected: Expected = {}, options: { readonly algorithm?: HashAlgorithm; readonly subject?: string } = {}) {
    this.#expected = expected;
    this.#algorithm = expected.digest === undefined ? (options.algorithm ?? 'sha256') : computable(expected.digest);
    this.#subject = options.subject ?? (expected.digest === undefined ? 'blob' : `blob ${expected.digest}`);
    this.#digester = createDigester(this.#algorithm, expected.size === undefined ? {} : { size: expected.size });
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** SIZE_MISMATCH as soon as there is one byte too many. */
  update(chunk: Uint8Array): Promise<void> | void {
    this.#size += chunk.byteLength;
    const { size } = this.#expected;
    if (size !== undefined && this.#size > size) throw sizeMismatch(this.#subject, size, `more than ${size}`);
    return this.#digester.update(chunk);
  }

  /** Checks the size, then the digest. SIZE_MISMATCH, DIGEST_MISMATCH. */
  async finish(expected: Expected = this.#expected): Promise<{ readonly digest: Digest; readonly size: number }> {
    const { size } = expected;
    if (size !== undefined && this.#size !== size) {
      this.dispose();
      throw sizeMismatch(this.#subject, size, this.#size);
    }
    const digest = formatDigest(this.#algorithm, await this.#digester.hex());
    if (expected.digest !== undefined && digest !== expected.digest) {
      throw new OciTarError('DIGEST_MISMATCH', `${this.#subject} is damaged or not what it is called: its digest is ${digest}, expected ${expected.digest}`, {
        expected: expected.digest,
        actual: digest,
        subject: this.#subject,
      });
    }
    return { digest, size: this.#size };
  }

  dispose(): void {
    this.#digester.dispose();
  }
}

/** The same bytes, each run of which a verifier gets on its way. Whoever made the verifier finishes and disposes of it. */
export async function* watched(stream: ByteStream, verifier: Verifier): ByteStream {
  for await (const run of stream) {
    await verifier.update(run);
    yield run;
  }
}

/** Passes the stream on and throws SIZE_MISMATCH or DIGEST_MISMATCH instead of ending when it is not what was promised. */
export async function* verified(stream: ByteStream, expected: Expected, subject?: string): ByteStream {
  const verifier = new Verifier(expected, subject === undefined ? {} : { subject });
  try {
    for await (const chunk of stream) {
      await verifier.update(chunk);
      yield chunk;
    }
    await verifier.finish();
  } finally {
    verifier.dispose();
  }
}

/** The digest and size of all bytes of a stream. */
export async function digestStream(stream: ByteStream, algorithm: HashAlgorithm = 'sha256'): Promise<{ readonly digest: Digest; readonly size: number }> {
  const verifier = new Verifier({}, { algorithm });
  try {
    for await (const chunk of stream) await verifier.update(chunk);
    return await verifier.finish();
  } finally {
    verifier.dispose();
  }
}

export async function digestBytes(bytes: Uint8Array, algorithm: HashAlgorithm = 'sha256'): Promise<Digest> {
  const verifier = new Verifier({ size: bytes.length }, { algorithm });
  await verifier.update(bytes);
  return (await verifier.finish()).digest;
}

function computable(digest: Digest): HashAlgorithm {
  const algorithm = hashAlgorithm(digest);
  if (algorithm !== undefined) return algorithm;
  throw new OciTarError('UNSUPPORTED', `${digest} is of an algorithm that cannot be checked here`, {
    subject: digest,
    hint: 'sha256, sha512 and blake3 can.',
  });
}

function sizeMismatch(subject: string, expected: number, actual: number | string): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `${subject} has ${actual} bytes, expected ${expected}`, { expected, actual, subject });
}
