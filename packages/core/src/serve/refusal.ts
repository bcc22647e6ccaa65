import { isOciTarError } from '../errors.ts';
import { bytesResponse } from './message.ts';
import type { ServeResponse } from './message.ts';

/** The distribution-spec's error codes, and what docker's registry adds to them for paging and ranges. */
export type RefusalCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'PAGINATION_NUMBER_INVALID'
  | 'RANGE_INVALID'
  | 'UNKNOWN';

/** A request that is not served, with what its sender is told. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: RefusalCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: RefusalCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  /** The answer in the form of the distribution-spec ("Error Codes"). */
  response(): ServeResponse {
    const body = { errors: [{ code: this.code, message: this.message, detail: null }] };
    return bytesResponse(this.status, { 'content-type': 'application/json', ...this.headers }, new TextEncoder().encode(JSON.stringify(body)));
  }
}

export function refuse(refusal: Refusal): never {
  throw refusal;
}

/** What a failure means to a client. Its own message stays here, since it may name paths of this machine. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (!isOciTarError(error)) return new Refusal(500, 'UNKNOWN', 'this request failed; the log of the server says why');
  switch (error.code) {
    case 'NOT_FOUND':
      return new Refusal(404, 'BLOB_UNKNOWN', 'not known here');
    case 'NO_SPACE':
      return new Refusal(507, 'UNKNOWN', 'the server has no space left');
    case 'READ_ONLY':
    case 'FORBIDDEN':
      return new Refusal(403, 'DENIED', 'the server cannot write to its store');
    case 'CONFLICT':
      return new Refusal(409, 'UNKNOWN', 'something else changed this at the same time; try again');
    case 'TIMEOUT':
      return new Refusal(503, 'TOOMANYREQUESTS', 'the store is busy; try again');
    default:
      return new Refusal(500, 'UNKNOWN', `what is stored here is not sound (${error.code}); the log of the server says more`);
  }
}
