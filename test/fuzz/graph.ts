import { createHash } from 'node:crypto';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import { mutations } from './mutate.ts';
import type { Random } from './random.ts';

/** The files of an archive by their paths. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** What a document of an archive is not longer than, so that no layer is taken for one. */
const longestDocument = 64 * 1024;

/** A blob of a layout, also where that lies under a leading folder. */
const blobPattern = /^((?:.*\/)?blobs\/sha256\/)([0-9a-f]{64})$/;

/** A JSON object or list, by its first byte. */
const isDocument = (bytes: Uint8Array) => (bytes[0] === 0x7b || bytes[0] === 0x5b) && bytes.byteLength < longestDocument;

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/**
 * Lies in a document, and makes everything that refers to it right again, up to index.json: what a careful forger would do.
 * A bit that is flipped in a manifest stops at its digest; these get behind it.
 */
export function forged(files: Files, random: Random): Files {
  const changed = new Map(files);
  const documents = [...files].filter(([, bytes]) => isDocument(bytes));
  const [path, bytes] = random.pick(documents);
  const renamed = new Map<string, string>();
  replace(changed, path, lie(bytes, random), renamed);
  for (const [old, now] of renamed) {
    for (const [other, content] of changed) {
      const text = Buffer.from(content).toString('latin1');
      if (isDocument(content) && text.includes(old)) replace(changed, other, Buffer.from(withSizes(text, old, now, changed), 'latin1'), renamed);
    }
  }
  return changed;
}

function replace(files: Map<string, Uint8Array>, path: string, bytes: Uint8Array, renamed: Map<string, string>): void {
  const [, folder, old] = blobPattern.exec(path) ?? [];
  if (folder === undefined || old === undefined) {
    files.set(path, bytes);
    return;
  }
  const now = digestOf(bytes);
  files.delete(path);
  files.set(folder + now, bytes);
  if (old !== now) renamed.set(old, now);
}

/** The reference's digest, and mostly its size, to what is there now. */
function withSizes(text: string, old: string, now: string, files: Files): string {
  const [, blob] = [...files].find(([path]) => path.endsWith(`blobs/sha256/${now}`)) ?? [];
  const size = blob?.byteLength ?? 0;
  return text.replaceAll(new RegExp(`("digest":"sha256:)${old}("[^{}]*?"size":)\\d+`, 'g'), `$1${now}$2${size}`).replaceAll(old, now);
}

function lie(bytes: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  return random.pick<() => Uint8Array>([
    () => random.pick(mutations)(bytes, random),
    // A member twice, or one more.
    () => Buffer.from(text.replace('{', `{"${random.pick(['config', 'layers', 'manifests', 'mediaType', 'schemaVersion', 'fsLayers', '__proto__', 'subject'])}":${random.pick(['1', '[]', '{}', 'null', '"x"'])},`), 'latin1'),
    () => Buffer.from(text.replace(/:\[(.*)\]/, () => `:${'['.repeat(random.below(40) + 1)}${']'.repeat(random.below(40) + 1)}`), 'latin1'),
    // The list of children many times over.
    () => Buffer.from(text.replace(/(\{"mediaType"[^{}]*\})/, (child) => Array.from({ length: random.below(300) + 1 }, () => child).join(',')), 'latin1'),
    () => Buffer.from(text.replaceAll(/\.tar(?:\+gzip|\+zstd)?(?=")/g, () => random.pick(['.tar', '.tar+gzip', '.tar+zstd'])), 'latin1'),
    () => Buffer.from(text.replaceAll(/application\/vnd\.oci\.image\.(\w+)/g, () => `application/vnd.oci.image.${random.pick(['index', 'manifest', 'config', 'layer'])}`), 'latin1'),
  ])();
}

export async function archiveOf(files: Files): Promise<Uint8Array> {
  const entries = [...files].map(([path, data]) => ({ path, type: 'file' as const, size: data.byteLength, data }));
  const chunks: Uint8Array[] = [];
  for await (const chunk of pieceBytes(pack(entries))) chunks.push(chunk);
  return Buffer.concat(chunks);
}
