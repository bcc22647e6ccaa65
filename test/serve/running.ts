import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { serveRegistry } from '@oci-tar/core';
import type { ImageStore, ListenOptions, RunningServer } from '@oci-tar/core';
import { onTestFinished } from 'vitest';
import { addImages, memoryStore } from '../support/images.ts';
import { onlyRead } from './support.ts';

/** A server on a free port of loopback, stopped after the test. */
export async function running(options: ListenOptions): Promise<RunningServer> {
  const server = await serveRegistry({ listen: '127.0.0.1:0', ...options });
  let stopped: Promise<void> | undefined;
  const stop = (stopping?: { readonly grace?: number }) => (stopped ??= server.stop(stopping));
  onTestFinished(() => stop({ grace: 100 }));
  return { ...server, stop };
}

/** A server with one image hello:1. */
export async function withImage(options: Partial<ListenOptions> = {}, text = 'world'): Promise<RunningServer & { readonly store: ImageStore }> {
  const store = memoryStore();
  await addImages(store, { name: 'docker.io/library/hello:1', layers: [{ text }] });
  return Object.assign(await running({ places: [{ store: onlyRead(store) }], ...options }), { store });
}

/** The digest of the image's layer. */
export async function layerDigest(url: string): Promise<string> {
  const manifest = (await (await fetch(`${url}/v2/hello/manifests/1`)).json()) as { layers: { digest: string }[] };
  return manifest.layers[0]?.digest ?? '';
}

/** A connection that one writes to by hand. */
export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  received = '';

  constructor(host: string) {
    const port = Number(host.slice(host.lastIndexOf(':') + 1));
    this.socket = connect({ host: '127.0.0.1', port });
    this.socket.on('error', () => {});
    this.socket.on('data', (bytes: Buffer) => (this.received += bytes.toString('latin1')));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    onTestFinished(() => void this.socket.destroy());
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Waits until what was received has this in it; fails when the connection is closed before. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.socket.destroyed) throw new Error(`closed after ${JSON.stringify(this.received)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return this.received;
  }

  /** Everything until the server closes the connection. */
  async rest(): Promise<string> {
    await this.closed;
    return this.received;
  }
}

/** One request by hand, and all that is answered; the connection is not kept. */
export async function wired(host: string, line: string, headers = '', body = ''): Promise<string> {
  const wire = new Wire(host);
  wire.send(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n${body}`);
  return wire.rest();
}

/** A place whose blobs of more than 1 MiB wait for `go` after each piece, and count who reads them. */
export function gated(store: ImageStore): { readonly store: ImageStore; readonly open: () => number; go(): void } {
  let open = 0;
  let go: () => void = () => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  const slow: ImageStore = {
    ...onlyRead(store),
    async open(blob) {
      const source = await store.open(blob);
      if (source.size < 2 ** 20) return source;
      return {
        size: source.size,
        async *read(start = 0, end = source.size) {
          open += 1;
          try {
            for (let at = start; at < end; at += 65_536) {
              if (at > start + 3 * 65_536) await gate;
              yield* source.read(at, Math.min(at + 65_536, end));
            }
          } finally {
            open -= 1;
          }
        },
      };
    },
  };
  return { store: slow, open: () => open, go };
}

/** Waits until it is so; the test's own limit of time ends it otherwise. */
export async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}
