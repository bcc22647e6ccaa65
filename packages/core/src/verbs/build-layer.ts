import { fileSource, pathKind } from '#runtime/files';
import { walkTree } from '#runtime/tree';
import { Verifier, digestStream, watched } from '../bytes/digest.ts';
import { ByteReader } from '../bytes/reader.ts';
import { abortable, counted, runSize } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { Codec } from '../compression/codec.ts';
import { detectCodec } from '../compression/codecs.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import type { StagedBlob } from '../image/store.ts';
import type { Digest } from '../spec/digest.ts';
import { pack, pieceBytes } from '../tar/pack.ts';
import { tokens } from '../tar/tokens.ts';

export interface LayerOptions {
  /** Compresses what is not compressed yet. */
  readonly codec: Codec;
  readonly level?: number;
  /** Seconds since 1970: the latest time that a file of a directory may have. 0 by default. */
  readonly created?: number;
  readonly signal?: AbortSignal;
  /** So many more bytes of a layer have been read: of the tar that a directory is packed into, or of the file as it is. */
  readonly onRead?: (bytes: number) => void;
  /** A file that cannot be in a layer was left out. */
  readonly onSkip?: (skipped: { readonly path: string; readonly why: string }) => void;
}

/** A layer that is staged: pushed, it is in the target; otherwise it goes with the session. */
export interface BuiltLayer {
  readonly blob: StagedBlob;
  readonly diffID: Digest;
  /** The one that it is compressed with. */
  readonly codec: Codec;
}

/**
 * Makes a layer of a directory, a tar file (both by their path), or a stream that is a tar. What is compressed already stays as it is.
 * `stage` takes the blob in. INVALID_TAR for what is no tar.
 */
export async function buildLayer(stage: (bytes: ByteStream) => Promise<StagedBlob>, input: string | ByteStream, options: LayerOptions): Promise<BuiltLayer> {
  const { codec, level, signal, onRead = () => {} } = options;
  const packed = async (plain: ByteStream): Promise<BuiltLayer> => {
    const diff = new Verifier({}, { algorithm: 'sha256' });
    try {
      const blob = await stage(codec.compress(watched(abortable(counted(plain, onRead), signal), diff), level === undefined ? {} : { level }));
      return { blob, diffID: (await diff.finish()).digest, codec };
    } finally {
      // A digester on a thread keeps the process alive.
      diff.dispose();
    }
  };
  if (typeof input === 'string' && (await pathKind(input)) === 'directory') return packed(treeBytes(input, options));
  const reader = new ByteReader(typeof input === 'string' ? (await fileSource(input)).read() : input);
  try {
    const found = detectCodec(await reader.peek(headLength));
    if (found.name === 'none') return await packed(tarBytes(rest(reader)));
    const blob = await stage(abortable(counted(rest(reader), onRead), signal));
    const { digest: diffID } = await digestStream(tarBytes(found.decompress(abortable(blob.source().read(), signal))));
    return { blob, diffID, codec: found };
  } catch (error) {
    if (typeof input !== 'string' || !isOciTarError(error) || !(error.code === 'INVALID_TAR' || error.code === 'INVALID_COMPRESSION')) throw error;
    throw new OciTarError(error.code, `${input}: ${error.message}`, { ...error.details, cause: error });
  } finally {
    await reader.close();
  }
}

/** So many bytes tell any codec. */
const headLength = 6;

async function* rest(reader: ByteReader): ByteStream {
  for (let run = await reader.run(4 * runSize); run !== undefined; run = await reader.run(4 * runSize)) yield run;
}

/** The bytes as they are, seen to be a tar on their way. */
function tarBytes(bytes: ByteStream): ByteStream {
  return pieceBytes(tokens(bytes, { requireEnd: false }));
}

function treeBytes(path: string, { created = 0, signal, onSkip }: LayerOptions): ByteStream {
  return pieceBytes(
    pack(walkTree(path, { uid: 0, gid: 0, mtimeLimit: created, ...(signal === undefined ? {} : { signal }), ...(onSkip === undefined ? {} : { onSkip }) })),
  );
}
