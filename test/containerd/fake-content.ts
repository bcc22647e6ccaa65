import { digestBytes } from '@oci-tar/core';
import type { Digest } from '@oci-tar/core';

/** What the fake answers when a call is to fail: a status of gRPC's. */
export class Refusal extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

export interface Blob {
  readonly bytes: Uint8Array;
  labels: Record<string, string>;
}

export interface WriteRequest {
  readonly action: 'STAT' | 'WRITE' | 'COMMIT';
  readonly ref: string;
  readonly total: number;
  readonly expected: string;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly labels: Record<string, string>;
}

/** A content store as containerd's is seen from outside: blobs, and uploads that one writer at a time holds by their ref. */
export class FakeContent {
  readonly blobs = new Map<string, Blob>();
  readonly uploads = new Map<string, Uint8Array>();
  readonly locked = new Set<string>();

  async add(bytes: Uint8Array, labels: Record<string, string> = {}): Promise<Digest> {
    const digest = await digestBytes(bytes);
    this.blobs.set(digest, { bytes, labels });
    return digest;
  }

  find(digest: string): Blob {
    const blob = this.blobs.get(digest);
    if (blob === undefined) throw new Refusal(5, `content ${digest}: not found`);
    return blob;
  }

  info(digest: string): object {
    const { bytes, labels } = this.find(digest);
    return { digest, size: bytes.byteLength, labels };
  }

  /** The first message of an upload: takes the ref and says how far it is. */
  begin({ ref, expected }: WriteRequest): number {
    if (this.blobs.has(expected)) throw new Refusal(6, `content ${expected}: already exists`);
    if (this.locked.has(ref)) throw new Refusal(14, `ref ${ref} locked for 1s (since then): unavailable`);
    this.locked.add(ref);
    const upload = this.uploads.get(ref) ?? new Uint8Array();
    this.uploads.set(ref, upload);
    return upload.byteLength;
  }

  /** Any later message; the offset after it. */
  async take({ action, ref, offset, data, total, expected, labels }: WriteRequest): Promise<{ readonly offset: number; readonly digest: string }> {
    let upload = this.uploads.get(ref) ?? new Uint8Array();
    if (offset > 0 && offset !== upload.byteLength) throw new Refusal(11, `write @${offset} must occur at current offset ${upload.byteLength}`);
    if (offset === 0) upload = new Uint8Array();
    upload = Buffer.concat([upload, data]);
    this.uploads.set(ref, upload);
    if (action !== 'COMMIT') return { offset: upload.byteLength, digest: '' };
    if (this.blobs.has(expected)) throw new Refusal(6, `content ${expected}: already exists`);
    const digest = await digestBytes(upload);
    if (total > 0 && total !== upload.byteLength) throw new Refusal(9, `unexpected commit size ${upload.byteLength}, expected ${total}: failed precondition`);
    if (expected !== '' && digest !== expected) throw new Refusal(9, `unexpected commit digest ${digest}, expected ${expected}: failed precondition`);
    this.uploads.delete(ref);
    this.blobs.set(digest, { bytes: upload, labels: { ...labels } });
    return { offset: upload.byteLength, digest };
  }
}
