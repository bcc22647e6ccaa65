import { isOciTarError } from '../errors.ts';
import { readBlob } from '../image/read.ts';
import type { ImageStore } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { bytesResponse, etagOf, listsEtag } from './message.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import { Refusal } from './refusal.ts';

/**
 * Hands out a manifest (distribution-spec, "Pulling manifests"), verified each time, from the first of these places that has it.
 * A client that names the types it takes, and not this one, gets 404 as from docker's registry. Throws `Refusal`.
 */
export async function pullManifest(request: ServeRequest, descriptor: Descriptor, stores: readonly ImageStore[], limit: number, onLog: (line: string) => void): Promise<ServeResponse> {
  const { digest, mediaType } = descriptor;
  const { accept, 'if-none-match': known } = request.headers;
  if (accept !== undefined && !accepts(accept, mediaType)) {
    throw new Refusal(404, 'MANIFEST_UNKNOWN', `this is ${mediaType}, which the Accept header of the request does not name`, { vary: 'Accept' });
  }
  const bytes = await readSound(descriptor, stores, limit, onLog);
  const headers = { 'content-type': mediaType, 'docker-content-digest': digest, etag: etagOf(digest), vary: 'Accept', 'x-content-type-options': 'nosniff' };
  if (known !== undefined && listsEtag(known, digest)) return { status: 304, headers: { etag: etagOf(digest), 'docker-content-digest': digest, vary: 'Accept' } };
  return bytesResponse(200, headers, bytes);
}

async function readSound(descriptor: Descriptor, stores: readonly ImageStore[], limit: number, onLog: (line: string) => void): Promise<Uint8Array> {
  let isDamaged = false;
  for (const store of stores) {
    try {
      return await readBlob(store, descriptor, limit);
    } catch (error) {
      if (!isOciTarError(error)) throw error;
      if (error.code === 'NOT_FOUND') continue;
      onLog(`${store.name}: ${error.message}`);
      isDamaged = true;
    }
  }
  if (isDamaged) throw new Refusal(500, 'UNKNOWN', `manifest ${descriptor.digest} is damaged here and is not handed out`);
  throw new Refusal(404, 'MANIFEST_UNKNOWN', 'there is no such manifest in this repository');
}

/** Whether a list of media ranges has room for a type (RFC 9110, 12.5.1). Preferences are of no use: there is one form of each manifest. */
export function accepts(header: string, mediaType: string): boolean {
  const [type = ''] = mediaType.toLowerCase().split(';');
  return header.split(',').some((part) => {
    const [range = '', ...parameters] = part.toLowerCase().split(';').map((text) => text.trim());
    if (parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter))) return false;
    return range === '*/*' || range === '' || range === type || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)));
  });
}
