import { createSpool } from '#runtime/spool';
import { Verifier } from '../bytes/digest.ts';
import type { ByteSink } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { BlobWriter, BlobWriterOptions, FileWriter, ImageDriver, WrittenBlob } from '../layout/driver.ts';

import { blobPath, digestParts } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { layoutPathParts } from './path.ts';
import { TarRecords } from './tar-records.ts';
import type { FileHeader, OpenRecord } from './tar-records.ts';
import { tarSink } from './tar-sink.ts';
import type { TarSink } from './tar-sink.ts';

/** As `ctr images export` has them. */
const blobMode = 0o444;
const fileMode = 0o644;

/**
 * Writes an image layout as a tar archive, one record after the other: `blobs/`, `blobs/sha256/`, then files and blobs
 * in the order in which they are committed. A record whose size or digest turns out wrong stays incomplete, and the
 * archive is never ended: nothing can take it for a good one.
 */
export function tarWriter(output: ByteSink | TarSink): ImageDriver {
  const records = new TarRecords('writeHeader' in output ? output : tarSink(output));
  /** What blobs wait in; a caller that forgets one must not keep its file open for ever. */
  const spools = new Set<() => Promise<void>>();
  const dropSpools = () => Promise.all([...spools].map((drop) => drop()));
  return {
    name: 'tar',
    access: 'append',
    async init() {
      await records.directory('blobs/');
      await records.directory('blobs/sha256/');
    },
    async *list(): AsyncIterable<never> {
      throw writeOnly('list');
    },
    async reader(path) {
      throw writeOnly(`read ${path}`);
    },
    async remove(path) {
      throw writeOnly(`remove ${path}`);
    },
    async writer(path, options = {}) {
      layoutPathParts(path);
      records.check();
      return fileWriter(records, path, options.mode ?? fileMode);
    },
    async blobWriter(options = {}) {
      records.check();
      const { digest, size } = options;
      return digest === undefined || size === undefined ? spooledBlob(records, spools, options) : streamedBlob(records, digest, size);
    },
    exclusive: (work) => work(),
    async close() {
      await dropSpools();
      await records.end();
    },
    async abort(reason) {
      await dropSpools();
      await records.abort(reason);
    },
  };
}

/** Small files wait in memory: a record needs its size before its bytes. */
function fileWriter(records: TarRecords, path: string, mode: number): FileWriter {
  const chunks: Uint8Array[] = [];
  return {
    write: async (chunk) => void chunks.push(chunk),
    commit: () =>
      records.file({ name: path, mode, size: chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0) }, chunks),
    abort: async () => void chunks.splice(0),
  };
}

/** Header first, then the bytes as they come; the last piece is held back until size and digest are checked. */
async function streamedBlob(records: TarRecords, digest: Digest, size: number): Promise<BlobWriter> {
  const verifier = new Verifier({ digest, size });
  let record: OpenRecord | undefined;
  try {
    await makeParents(records, digest);
    // A blob that is there already is checked all the same, and dropped.
    if (!records.has(digest)) record = await records.start(blobHeader({ digest, size }));
  } catch (error) {
    verifier.dispose();
    throw error;
  }
  const state = new BlobState();
  let held: Uint8Array | undefined;
  const spoiling = async <T>(work: () => Promise<T>): Promise<T> => {
    state.checkOpen();
    try {
      return await work();
    } catch (error) {
      record?.spoil(error);
      verifier.dispose();
      throw error;
    }
  };
  return {
    get digest() {
      return state.digest;
    },
    write: (chunk) =>
      spoiling(async () => {
        if (chunk.byteLength === 0) return;
        await verifier.update(chunk);
        if (held !== undefined) await record?.write(held);
        held = chunk;
      }),
    commit: (expected = {}) =>
      spoiling(async () => {
        const written = await verifier.finish({ digest, size, ...expected });
        if (held !== undefined) await record?.write(held);
        await record?.end();
        return state.close(written);
      }),
    async abort(reason) {
      if (!state.open) return;
      state.close();
      verifier.dispose();
      record?.spoil(reason ?? new OciTarError('CONFLICT', `blob ${digest} was given up half-written`));
    },
  };
}

/** Without its digest a blob has no name yet: it waits in a spool until commit. */
async function spooledBlob(records: TarRecords, spools: Set<() => Promise<void>>, options: BlobWriterOptions): Promise<BlobWriter> {
  const verifier = new Verifier(options, options.algorithm === undefined ? {} : { algorithm: options.algorithm });
  const spool = await createSpool().catch((error: unknown) => {
    verifier.dispose();
    throw error;
  });
  const state = new BlobState();
  const drop = async () => {
    state.close();
    if (!spools.delete(drop)) return;
    verifier.dispose();
    await spool.dispose();
  };
  spools.add(drop);
  return {
    get digest() {
      return state.digest;
    },
    async write(chunk) {
      state.checkOpen();
      await verifier.update(chunk);
      await spool.write(chunk);
    },
    async commit(expected) {
      state.checkOpen();
      try {
        const written = await verifier.finish({ ...options, ...expected });
        const source = await spool.source();
        await makeParents(records, written.digest);
        if (!records.has(written.digest)) await records.file(blobHeader(written), source.read());
        return state.close(written);
      } finally {
        await drop();
      }
    },
    abort: drop,
  };
}

function blobHeader({ digest, size }: WrittenBlob): FileHeader {
  return { name: blobPath(digest), mode: blobMode, size, key: digest };
}

async function makeParents(records: TarRecords, digest: Digest): Promise<void> {
  await records.directory('blobs/');
  await records.directory(`blobs/${digestParts(digest).algorithm}/`);
}

class BlobState {
  open = true;
  #written: WrittenBlob | undefined;

  get digest(): Digest {
    if (this.#written === undefined) throw new OciTarError('CONFLICT', 'the digest of a blob is known once it is committed');
    return this.#written.digest;
  }

  checkOpen(): void {
    if (!this.open) throw new OciTarError('CONFLICT', 'the blob has been committed or given up');
  }

  close(written: WrittenBlob): WrittenBlob;
  close(): void;
  close(written?: WrittenBlob): WrittenBlob | undefined {
    this.open = false;
    this.#written ??= written;
    return written;
  }
}

function writeOnly(what: string): OciTarError {
  return new OciTarError('UNSUPPORTED', `cannot ${what}: a tar archive that is being written is not read or changed`, {
    hint: 'Open the finished archive to read it.',
  });
}
