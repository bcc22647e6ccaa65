import type { ByteStream } from '../bytes/types.ts';

/** A request to a registry, whatever it came over. */
export interface ServeRequest {
  readonly method: string;
  /** Path and query as they came, still escaped: `/v2/hello/manifests/1?ns=docker.io`. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Read at most once, and not necessarily to its end. */
  readonly body?: ByteStream;
}

/** What is answered. The body of a HEAD is left out, and its headers are those of the GET. */
export interface ServeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is as long as `Content-Length` says, or it throws: then the connection has to be cut. */
  readonly body?: Uint8Array | ByteStream;
  /** What kind of request it was, for figures: `manifests`, `blobs`, `uploads`, `tags`. */
  readonly route?: string;
  /** Who asked, where that had to be told. */
  readonly user?: string;
}

export function emptyResponse(status: number, headers: Readonly<Record<string, string>> = {}): ServeResponse {
  // 204 has no length by definition (RFC 9110, 8.6).
  return { status, headers: status === 204 ? headers : { 'content-length': '0', ...headers } };
}

export function bytesResponse(status: number, headers: Readonly<Record<string, string>>, bytes: Uint8Array): ServeResponse {
  return { status, headers: { 'content-length': String(bytes.byteLength), ...headers }, body: bytes };
}

export function jsonResponse(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): ServeResponse {
  return bytesResponse(status, { 'content-type': 'application/json', ...headers }, new TextEncoder().encode(JSON.stringify(value)));
}

/** The ETag of content under a digest: it never changes. */
export function etagOf(digest: string): string {
  return `"${digest}"`;
}

/** Whether a list of ETags (`If-None-Match`, `If-Match`) has this digest's (RFC 9110, 13.1). A weak one counts, as for GET. */
export function listsEtag(header: string, digest: string): boolean {
  return header.split(',').some((part) => {
    const tag = part.trim().replace(/^W\//, '');
    // docker's registry has them with quotes; some clients send the bare digest back.
    return tag === '*' || tag === etagOf(digest) || tag === digest;
  });
}

/** The client went away, or took too long: there is nobody left to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}
