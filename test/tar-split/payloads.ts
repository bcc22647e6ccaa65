import type { ByteSource, PayloadKey, PayloadSink, PayloadSource } from '@oci-tar/core';
import { OciTarError, bytesSource } from '@oci-tar/core';

/** Payloads in memory, by digest or by name, as a sink and a source. */
export class MemoryPayloads implements PayloadSink<PayloadKey>, PayloadSource {
  readonly held = new Map<string, Uint8Array>();
  taken = 0;

  put(key: PayloadKey, bytes: Uint8Array): Promise<void> | void {
    this.taken += 1;
    this.held.set(nameOf(key), bytes.slice());
  }

  begin() {
    const runs: Uint8Array[] = [];
    return {
      write: (bytes: Uint8Array) => void runs.push(bytes.slice()),
      commit: (key: PayloadKey) => this.put(key, Buffer.concat(runs)),
      abort: () => {},
    };
  }

  open(key: PayloadKey): ByteSource {
    const bytes = this.held.get(nameOf(key));
    if (bytes === undefined) throw new OciTarError('NOT_FOUND', `no payload ${nameOf(key)}`);
    return bytesSource(bytes);
  }
}

function nameOf(key: PayloadKey): string {
  return 'digest' in key ? key.digest : Buffer.from(key.name).toString('latin1');
}
