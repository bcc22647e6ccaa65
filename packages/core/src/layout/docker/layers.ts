import { Verifier, digestStream, watched } from '../../bytes/digest.ts';
import { abortable } from '../../bytes/stream.ts';
import type { ByteSource } from '../../bytes/types.ts';
import type { Codec } from '../../compression/codec.ts';
import { detectCodec } from '../../compression/codecs.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { hashAlgorithm } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { mediaTypes } from '../../spec/media-type.ts';
import type { ImageDriver } from '../driver.ts';
import { entryPath } from '../entry-path.ts';

/** A layer's file in a docker archive, as a blob. */
export interface LayerFile {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly source: ByteSource;
  /** Why it must not be used; found by reading it. */
  readonly problem?: OciTarError;
}

interface Measured extends LayerFile {
  /** Undefined where it cannot be decompressed. */
  readonly diffID: Digest | undefined;
}

export interface LayerFilesOptions {
  /** The digest of a file, where the medium knows it: one that is wrong is found before anything moves. */
  readonly digestOf?: (path: string) => Digest | undefined;
  readonly signal?: AbortSignal;
  /** Told what takes time, and what is odd but no fault. */
  readonly onNote?: (note: string) => void;
}

/** Compressions that docker takes for layers and that are not read here, by their first bytes. */
const foreignHeads: readonly (readonly [name: string, head: readonly number[]])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  // "BZh", a level, and the first of the six bytes that open a block.
  ['bzip2', [0x42, 0x5a, 0x68, -1, 0x31, 0x41]],
];

/** The layers of a docker archive: each file is looked at once, however many images use it. */
export class LayerFiles {
  readonly #driver: ImageDriver;
  readonly #options: LayerFilesOptions;
  readonly #opened = new Map<string, Promise<{ readonly source: ByteSource; readonly codec: Codec }>>();
  readonly #measured = new Map<string, Promise<Measured>>();
  readonly #uses = new Map<string, Digest>();
  #noted = false;

  constructor(driver: ImageDriver, options: LayerFilesOptions) {
    this.#driver = driver;
    this.#options = options;
  }

  /**
   * The layer in this file, which the config calls `diffID`. A plain one has that as its digest, to be verified when it is
   * read. A compressed one has no digest in the archive: it is read and unpacked once, and one that is not what the config
   * says becomes a `problem`. NOT_FOUND; INVALID_MANIFEST when the file stands for two diffIDs; UNSUPPORTED for xz and bzip2.
   */
  async layer(path: string, diffID: Digest, signal: AbortSignal | undefined = this.#options.signal): Promise<LayerFile> {
    const used = this.#uses.get(path) ?? diffID;
    this.#uses.set(path, used);
    if (used !== diffID) {
      throw new OciTarError('INVALID_MANIFEST', `${this.#driver.name}: the one layer ${path} stands for two diffIDs, ${used} and ${diffID}`, { subject: path });
    }
    const { source, codec } = await this.#open(path);
    if (codec.name === 'none') {
      const plain = { mediaType: mediaTypes.layer, digest: diffID, size: source.size, source };
      const known = this.#options.digestOf?.(entryPath(path));
      return known === undefined || known === diffID || hashAlgorithm(known) !== hashAlgorithm(diffID) ? plain : { ...plain, problem: this.#mismatch(path, diffID, known) };
    }
    const measured = await this.#measure(path, signal);
    if (measured.problem !== undefined || measured.diffID === undefined || measured.diffID === diffID) return measured;
    return { ...measured, problem: this.#mismatch(path, diffID, measured.diffID) };
  }

  /** The digest of the file's uncompressed bytes, for archives whose documents do not tell. */
  async diffID(path: string): Promise<Digest> {
    const { diffID, problem } = await this.#measure(path, this.#options.signal);
    if (diffID !== undefined) return diffID;
    throw problem ?? new TypeError('a layer without a diffID has a problem');
  }

  #mismatch(path: string, expected: Digest, actual: Digest): OciTarError {
    return new OciTarError('DIGEST_MISMATCH', `${this.#driver.name}: layer ${path} unpacks to ${actual}, but the config says ${expected}`, { side: 'source', expected, actual, subject: path });
  }

  #open(path: string): Promise<{ readonly source: ByteSource; readonly codec: Codec }> {
    return remembered(this.#opened, path, async () => {
      const source = await this.#driver.reader(entryPath(path));
      const head = await headOf(source);
      const foreign = foreignHeads.find(([, bytes]) => bytes.every((byte, position) => byte < 0 || byte === head[position]));
      if (foreign === undefined) return { source, codec: detectCodec(head) };
      throw new OciTarError('UNSUPPORTED', `${this.#driver.name}: layer ${path} is compressed with ${foreign[0]}`, {
        subject: path,
        hint: 'docker load reads it; docker save then writes it plain.',
      });
    });
  }

  #measure(path: string, signal: AbortSignal | undefined): Promise<Measured> {
    return remembered(this.#measured, path, async () => {
      const { source, codec } = await this.#open(path);
      if (!this.#noted) this.#options.onNote?.(`${this.#driver.name} does not tell the digests of its layers: they are read once before anything moves`);
      this.#noted = true;
      const facts = { mediaType: mediaTypes.layer + codec.suffix, size: source.size, source };
      if (codec.name === 'none') {
        const { digest } = await digestStream(abortable(source.read(), signal));
        return { ...facts, digest, diffID: digest };
      }
      const raw = new Verifier({}, { subject: path });
      try {
        const { digest: diffID } = await digestStream(codec.decompress(watched(abortable(source.read(), signal), raw)));
        return { ...facts, digest: (await raw.finish()).digest, diffID };
      } catch (error) {
        if (!isOciTarError(error, 'INVALID_COMPRESSION')) throw error;
        const problem = new OciTarError(error.code, `${this.#driver.name}: layer ${path}: ${error.message}`, { ...error.details, cause: error, subject: path });
        return { ...facts, digest: (await digestStream(abortable(source.read(), signal))).digest, diffID: undefined, problem };
      } finally {
        raw.dispose();
      }
    });
  }
}

function remembered<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(key) ?? make();
  made.set(key, known);
  return known;
}

async function headOf(source: ByteSource): Promise<Uint8Array> {
  for await (const chunk of source.read(0, Math.min(source.size, 6))) return chunk;
  return new Uint8Array();
}
