import { createSpool } from '#runtime/spool';
import { openFile } from '#runtime/files';
import { openOutput } from '#runtime/output';
import { transformedSink } from '../bytes/channel.ts';
import type { ByteSink, ByteSource } from '../bytes/types.ts';
import type { Codec } from '../compression/codec.ts';
import { detectCodec } from '../compression/codecs.ts';
import { tarReader } from '../drivers/tar-reader.ts';
import { TarRecords } from '../drivers/tar-records.ts';
import { tarSink } from '../drivers/tar-sink.ts';
import { tarWriter } from '../drivers/tar-writer.ts';
import { OciTarError } from '../errors.ts';
import type { ImageStore } from '../image/store.ts';
import type { NameStyle } from '../layout/names.ts';
import { dockerArchiveSession } from '../layout/docker/archive.ts';
import { layoutStore } from './layout.ts';
import { readArchive } from './read-archive.ts';

export interface OpenArchiveOptions {
  readonly signal?: AbortSignal;
  /** Told what takes time: a compressed archive is unpacked into a temporary file, compressed layers of a docker archive are read first. */
  readonly onNote?: (note: string) => void;
  /**
   * The most bytes that a compressed archive may unpack to, in its temporary file: LIMIT_EXCEEDED past that.
   * By default 1 GiB and 200 times its size; images stay below 20 times, a bomb reaches 1,000.
   */
  readonly unpackedLimit?: number;
}

/** The images of an archive file, OCI's or docker's, read in place. A compressed one is decompressed into a spool first. */
export async function openArchive(path: string, options: OpenArchiveOptions = {}): Promise<ImageStore> {
  const file = await openFile(path);
  let close = () => file.close();
  try {
    if (file.size === 0) throw new OciTarError('INVALID_TAR', `${path} is empty`, { subject: path, offset: 0 });
    const codec = detectCodec(await head(file));
    let archive: ByteSource = file;
    if (codec.name !== 'none') {
      options.onNote?.(`${path} is compressed with ${codec.name}: it is unpacked into a temporary file first`);
      const spool = await createSpool();
      close = async () => {
        await spool.dispose();
        await file.close();
      };
      const limit = options.unpackedLimit ?? 2 ** 30 + 200 * file.size;
      for await (const chunk of codec.decompress(file.read(), { limit })) {
        options.signal?.throwIfAborted();
        await spool.write(chunk);
      }
      archive = await spool.source();
    }
    const driver = await tarReader(archive, { name: path, onClose: close, ...(options.signal === undefined ? {} : { signal: options.signal }) });
    return await readArchive(driver, options);
  } catch (error) {
    await close();
    throw error;
  }
}

export interface ArchiveTargetOptions {
  /** Compresses the whole archive; not by default. */
  readonly compression?: Codec;
  readonly level?: number;
  /** How index.json spells the names: `archive`, as ctr does, by default. */
  readonly style?: NameStyle;
  /** `oci`, an image layout, by default; `docker`, which has no manifests and holds one platform. */
  readonly format?: 'oci' | 'docker';
  /** Leaves docker's `manifest.json` out of an image layout. */
  readonly skipManifestJson?: boolean;
}

/** An archive to be written, in one session. Nothing is opened before that begins. */
export function archiveTarget(output: string | ByteSink, options: ArchiveTargetOptions = {}): ImageStore {
  const name = typeof output === 'string' ? output : 'archive';
  const nothing = () => {
    throw new OciTarError('UNSUPPORTED', `${name} is being written and cannot be read`, { subject: name });
  };
  return {
    name,
    async *images() {
      nothing();
    },
    resolve: async () => nothing(),
    open: async () => nothing(),
    async begin(plan, beginOptions) {
      // Before the output is opened: nothing would take it back.
      if (plan === undefined) throw new OciTarError('UNSUPPORTED', `${name} must know all its contents before it is begun`, { side: 'target', subject: name });
      const open = async () => compressed(interruptible(typeof output === 'string' ? await openOutput(output) : output, beginOptions?.signal), options);
      if (options.format === 'docker') return dockerArchiveSession(async () => new TarRecords(tarSink(await open())), plan, beginOptions?.signal);
      const { style = 'archive', skipManifestJson = false } = options;
      const store = layoutStore(tarWriter(await open()), { name, style, skipManifestJson });
      if (store.begin === undefined) return nothing();
      return store.begin(plan, beginOptions);
    },
    close: async () => {},
  };
}

/** Gives a write up as soon as the signal is aborted, also one that the sink never takes: a pipe whose reader has fallen asleep. */
function interruptible(sink: ByteSink, signal: AbortSignal | undefined): ByteSink {
  if (signal === undefined) return sink;
  return {
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort);
        const done = () => signal.removeEventListener('abort', onAbort);
        sink.write(chunk).then(resolve, reject).finally(done);
      }),
    // Not given up half-way: the file would appear after all.
    commit: () => sink.commit(),
    abort: (reason) => sink.abort(reason),
  };
}

function compressed(sink: ByteSink, { compression, level }: ArchiveTargetOptions): ByteSink {
  if (compression === undefined || compression.name === 'none') return sink;
  return transformedSink(sink, (bytes) => compression.compress(bytes, level === undefined ? {} : { level }));
}

async function head(source: ByteSource): Promise<Uint8Array> {
  for await (const chunk of source.read(0, Math.min(source.size, 512))) return chunk;
  return new Uint8Array();
}

