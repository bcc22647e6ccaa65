import { checkRange, collect } from '../../bytes/source.ts';
import { verified } from '../../bytes/digest.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { codecs } from '../../compression/codecs.ts';
import { gzip } from '../../compression/gzip.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Digest } from '../../spec/digest.ts';
import { parseJson, stringifyJson } from '../../spec/json.ts';
import type { JsonObject, JsonValue } from '../../spec/json.ts';
import { assemble, splitPieces } from '../../tar/split/assemble.ts';
import type { ContentKey, PayloadSource } from '../../tar/split/payloads.ts';
import { compressedAs } from './compression.ts';
import type { LayerCompression } from './compression.ts';
import { part } from './stored-payload.ts';

/** How a layer is made again: its compression, and the metadata of its tar. */
export interface RecipeHead {
  /** Bytes of the blob. */
  readonly size: number;
  readonly compression: LayerCompression;
  /** The codec's version and machine when the recipe was proven. */
  readonly engine: string;
}

/** A recipe's first line is no longer: a gzip header of 64 KiB in base64 and a few numbers. */
const headLimit = 128 * 1024;

/** The version of zlib and the machine: another zlib may compress otherwise. zstd is the same everywhere. */
export const engine = `zlib ${process.versions.zlib ?? 'unknown'} ${process.arch}`;

/** The first line of a recipe; gzip-compressed metadata (docs/tar-split.md) follow. */
export function headBytes({ size, compression: { codec, level, oneRun, header }, engine: made }: RecipeHead): Uint8Array {
  const line = stringifyJson({ recipe: 1, size, codec, ...(level === undefined ? {} : { level }), ...(oneRun === undefined ? {} : { oneRun }), ...(header === undefined ? {} : { header: Buffer.from(header).toString('base64') }), engine: made });
  return Buffer.concat([line, Buffer.from('\n')]);
}

/** A recipe that was opened: its head is read, its metadata are not yet. */
export interface Recipe extends RecipeHead {
  metadata(): ByteStream;
}

/** INVALID_LAYOUT for a file that is no recipe. */
export async function openRecipe(file: ByteSource, digest: Digest): Promise<Recipe> {
  const start = await collect(file.read(0, Math.min(file.size, headLimit)), headLimit, 'a recipe');
  const end = start.indexOf(0x0a);
  const bad = (why: string) => new OciTarError('INVALID_LAYOUT', `the recipe of layer ${digest} is damaged: ${why}`, { subject: digest, hint: 'oci-tar verify --repair removes it.' });
  if (end < 0) throw bad('it has no first line');
  let head: JsonValue;
  try {
    head = parseJson(start.subarray(0, end), { subject: `the recipe of layer ${digest}`, limits: { bytes: headLimit, depth: 2 } });
  } catch (error) {
    throw isOciTarError(error) ? bad(error.message) : error;
  }
  if (!isObject(head) || head['recipe'] !== 1) throw bad('it is of no known version');
  const { size, level, oneRun, header, engine: made } = head;
  const codec = codecs.find(({ name }) => name === head['codec'])?.name;
  if (codec === undefined) throw bad('it names no known compression');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw bad('it has no size');
  if (level !== undefined && typeof level !== 'number') throw bad('its level is no number');
  if (oneRun !== undefined && typeof oneRun !== 'boolean') throw bad('whether it was one run is neither true nor false');
  if (header !== undefined && typeof header !== 'string') throw bad('its header is no text');
  return {
    size,
    compression: { codec, ...(level === undefined ? {} : { level }), ...(oneRun === undefined ? {} : { oneRun }), ...(header === undefined ? {} : { header: Buffer.from(header, 'base64') }) },
    engine: typeof made === 'string' ? made : 'unknown',
    metadata: () => gzip.decompress(file.read(end + 1)),
  };
}

/** The payloads that a recipe needs, in their order. */
export async function* payloadsOf(recipe: Recipe): AsyncGenerator<ContentKey, void, void> {
  for await (const piece of splitPieces(recipe.metadata())) if (piece.kind === 'payload' && 'digest' in piece.key) yield piece.key;
}

/**
 * A layer made anew each time that it is read. A whole reading ends with an error when it is not what its digest says; a
 * part is made from the start, and only the files in it are checked.
 */
export function recipeSource(recipe: Recipe, digest: Digest, payloads: PayloadSource): ByteSource {
  const { size } = recipe;
  return {
    size,
    async *read(start = 0, end = size) {
      checkRange(start, end, size);
      if (start === end) return;
      const bytes = compressedAs(assemble(recipe.metadata(), payloads), recipe.compression);
      try {
        if (start === 0 && end === size) yield* verified(bytes, { digest, size }, `layer ${digest}`);
        else yield* part(bytes, start, end);
      } catch (error) {
        throw madeElsewhere(error, recipe, digest) ?? error;
      }
    },
  };
}

/** The files are right and the blob is not: the codec is another one than the recipe was proven with. */
function madeElsewhere(error: unknown, recipe: Recipe, digest: Digest): OciTarError | undefined {
  const ours = isOciTarError(error, 'DIGEST_MISMATCH') || isOciTarError(error, 'SIZE_MISMATCH');
  if (!ours || recipe.compression.codec !== 'gzip' || recipe.engine === engine || error.details.subject !== `layer ${digest}`) return undefined;
  return new OciTarError(error.code, error.message, {
    ...error.details,
    cause: error,
    hint: `It was taken in with ${recipe.engine}, and ${engine} compresses otherwise: read it with the same version of Node.`,
  });
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
