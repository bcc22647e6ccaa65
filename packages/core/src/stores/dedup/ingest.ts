import { unlink } from 'node:fs/promises';
import { collect } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { codecByName, detectCodec } from '../../compression/codecs.ts';
import { gzip } from '../../compression/gzip.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { StagedFile } from '../../drivers/directory/staged-file.ts';
import type { SealedBlob } from '../../layout/driver.ts';
import { fileSource } from '../../runtime/node/files.ts';
import { blockSize, checksum } from '../../tar/block.ts';
import { parseNumber } from '../../tar/number.ts';
import { disassemble } from '../../tar/split/own-write.ts';
import type { PayloadSource } from '../../tar/split/payloads.ts';
import { probeCompression } from './compression.ts';
import { engine, headBytes, openRecipe, recipeSource } from './recipe.ts';
import { StagedPayloads, discardStaged, payloadPlace } from './staged-payloads.ts';
import { storedPayload } from './stored-payload.ts';

/** A layer that was taken apart and proven, in the writer's staging folder. */
export interface TakenApart {
  /** The path of the recipe. */
  readonly recipe: string;
  readonly payloads: StagedPayloads;
  /** Removes what is left of it in the staging folder. */
  discard(): Promise<void>;
}

export interface Workplace {
  /** A new file of the staging folder. */
  open(): Promise<StagedFile>;
  /** The path of a file that is not there yet. */
  newPath(): Promise<string>;
  /** The directory that has the payloads. */
  readonly places: string;
}

/** Below this a layer is hardly larger than its recipe. */
const smallest = 2048;

/** What a tar may unpack to before it is taken for a bomb: far more than any real layer, at least 1 GiB. */
const bombFactor = 200;
const bombFloor = 1024 ** 3;

/** A layer whose new files take more than this of its size is kept whole: it would need two others like it to save anything. */
const worthwhile = 1.5;

/** What keeps a layer whole; all else (no space, no permission) is an error. */
const keptWhole: readonly ErrorCode[] = ['INVALID_TAR', 'INVALID_COMPRESSION', 'UNSUPPORTED', 'LIMIT_EXCEEDED', 'DIGEST_MISMATCH', 'SIZE_MISMATCH'];

/**
 * Takes a blob apart where it is a tar that our codecs give back byte for byte, which is proven here by making all of it again
 * and comparing digests. Undefined for everything else, which is kept whole.
 */
export async function takeApart(blob: SealedBlob, work: Workplace): Promise<TakenApart | undefined> {
  if (blob.size < smallest) return undefined;
  const stem = await work.newPath();
  const payloads = new StagedPayloads(stem, work.places);
  let recipePath: string | undefined;
  const discard = async () => {
    await payloads.finish().catch(() => {});
    await discardStaged(stem);
    if (recipePath !== undefined) await unlink(recipePath).catch(() => {});
  };
  let isTaken = false;
  try {
    const source = blob.source();
    if (!(await startsAsTar(source))) return undefined;
    const compression = await probeCompression(source);
    if (compression === undefined) return undefined;
    const limit = Math.max(bombFloor, blob.size * bombFactor);
    const tar = codecByName(compression.codec).decompress(source.read(), { limit });
    const file = await work.open();
    recipePath = file.path;
    let written = 0;
    try {
      const head = headBytes({ size: blob.size, compression, engine });
      for await (const run of headed(head, gzip.compress(disassemble(tar, payloads)))) {
        written += run.length;
        await file.write(run);
      }
      await file.commit();
    } catch (error) {
      await file.abort(error);
      throw error;
    }
    await payloads.finish();
    if (payloads.bytes + written > blob.size * worthwhile) return undefined;
    const recipe = await openRecipe(await fileSource(file.path), blob.digest);
    const again = recipeSource(recipe, blob.digest, stagedSource(payloads, work.places));
    for await (const run of again.read()) void run;
    isTaken = true;
    return { recipe: file.path, payloads, discard };
  } catch (error) {
    if (isOciTarError(error) && keptWhole.includes(error.code)) return undefined;
    throw error;
  } finally {
    if (!isTaken) await discard();
  }
}

/** The payloads while they are staged, and those that are in their places already. */
function stagedSource(staged: StagedPayloads, places: string): PayloadSource {
  return {
    open(key) {
      if ('digest' in key) return storedPayload(payloadPlace(staged, places, key.digest), key);
      throw new OciTarError('UNSUPPORTED', 'a recipe has its payloads by digest');
    },
  };
}

async function* headed(head: Uint8Array, bytes: ByteStream): ByteStream {
  yield head;
  yield* bytes;
}

/** Whether the bytes, uncompressed, start with a tar header. */
async function startsAsTar(source: ByteSource): Promise<boolean> {
  const head = await collect(source.read(0, blockSize), blockSize, 'the start of a blob');
  // A document of JSON; most blobs that are no layers are.
  if (head[0] === 0x7b) return false;
  for await (const run of detectCodec(head).decompress(source.read())) return isHeader(run);
  return false;
}

function isHeader(run: Uint8Array): boolean {
  if (run.length < blockSize) return false;
  const block = run.subarray(0, blockSize);
  return parseNumber(block, 148, 156) === checksum(block);
}
