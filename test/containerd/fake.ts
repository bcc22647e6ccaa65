import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { protos } from '../../packages/core/src/stores/containerd/protos.ts';
import { containerdStore } from '../../packages/core/src/stores/containerd/store.ts';
import type { ContainerdOptions, ContainerdStore } from '../../packages/core/src/stores/containerd/store.ts';
import { FakeContent, Refusal } from './fake-content.ts';
import type { WriteRequest } from './fake-content.ts';
import { grpc, loader } from './grpc.ts';

interface ImageRecord {
  readonly name: string;
  labels: Record<string, string>;
  target: { readonly mediaType: string; readonly digest: string; readonly size: number; readonly annotations: Record<string, string> };
}

export interface SnapshotRequest {
  readonly snapshotter: string;
  readonly key: string;
  readonly parent?: string;
  readonly name?: string;
}

/** Messages as the loader hands them over: their fields are those of the .proto files. */
export interface Message extends WriteRequest, SnapshotRequest {
  readonly id: string;
  readonly name: string;
  readonly digest: string;
  readonly sync: boolean;
  readonly size: number;
  readonly resource: { readonly id: string; readonly type: string };
  readonly namespace: { readonly name: string };
  readonly image: ImageRecord;
  readonly info: { readonly digest: string; readonly labels: Record<string, string> };
  readonly updateMask: { readonly paths: readonly string[] };
  readonly diff: { readonly digest: string };
}

/** A containerd that answers from memory and fails as a test tells it to. */
export class FakeContainerd {
  readonly address: string;
  readonly content = new FakeContent();
  readonly images = new Map<string, ImageRecord>();
  readonly leases = new Map<string, Set<string>>();
  readonly ended: { readonly id: string; readonly sync: boolean }[] = [];
  readonly snapshots = new Map<string, SnapshotRequest>();
  readonly namespaces = new Set(['default']);
  /** Every call by name, a stream once, in their order. */
  readonly calls: string[] = [];
  /** The messages of uploads, without their bytes. */
  readonly written: { readonly action: string; readonly offset: number; readonly bytes: number }[] = [];
  /** How many streams were cancelled by their reader. */
  cancelled = 0;
  /** Called with each call and each message of an upload; what it throws is the answer. */
  before: (name: string, message: Message) => void | Promise<void> = () => {};
  /** The messages that a read is answered with; by default 64 KiB each. */
  reading: (bytes: Uint8Array, start: number) => Iterable<{ readonly offset: number; readonly data: Uint8Array }> = pieces;
  /** What unpacking a layer comes to, by its digest. */
  applied: (digest: string) => string = (digest) => digest;
  readonly #server = new grpc.Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });

  constructor(address: string) {
    this.address = address;
  }

  async start(): Promise<void> {
    const definition = loader.fromJSON(JSON.parse(protos), { longs: Number, enums: String, defaults: true, arrays: true, objects: true });
    for (const [path, found] of Object.entries(definition)) {
      if ('format' in found) continue;
      const service = path.slice(path.lastIndexOf('.') + 1);
      const handlers = Object.keys(found).map((method) => {
        const name = `${service}/${method}`;
        if (name === 'Content/Read') return [method, (call: grpc.ServerWritableStream<Message, object>) => void this.#read(call)] as const;
        if (name === 'Content/List') return [method, (call: grpc.ServerWritableStream<Message, object>) => this.#list(call)] as const;
        if (name === 'Content/Write') return [method, (call: grpc.ServerDuplexStream<Message, object>) => void this.#write(call)] as const;
        const unary = async (call: grpc.ServerUnaryCall<Message, object>, done: grpc.sendUnaryData<object>) => {
          const lease = call.metadata.get('containerd-lease')[0];
          try {
            done(null, await this.#answer(name, call.request, typeof lease === 'string' ? lease : undefined));
          } catch (error) {
            done(statusOf(error));
          }
        };
        return [method, unary] as const;
      });
      this.#server.addService(found, Object.fromEntries(handlers));
    }
    await new Promise<void>((done, fail) => this.#server.bindAsync(`unix:${this.address}`, grpc.ServerCredentials.createInsecure(), (error) => (error === null ? done() : fail(error))));
  }

  /** Goes away at once, whatever is under way. */
  die(): void {
    this.#server.forceShutdown();
  }

  async #answer(name: string, request: Message, lease: string | undefined): Promise<object> {
    this.calls.push(name);
    await this.before(name, request);
    const { content, images, leases, snapshots } = this;
    const handlers: Readonly<Record<string, () => object>> = {
      'Version/Version': () => ({ version: '9.9.9', revision: 'fake' }),
      'Namespaces/List': () => ({ namespaces: [...this.namespaces].map((name) => ({ name })) }),
      'Namespaces/Create': () => this.namespaces.add(request.namespace.name) && {},
      'Content/Info': () => ({ info: content.info(request.digest) }),
      'Content/Update': () => {
        const { digest, labels } = request.info;
        for (const path of request.updateMask.paths) content.find(digest).labels[path.slice('labels.'.length)] = labels[path.slice('labels.'.length)] ?? '';
        return { info: content.info(digest) };
      },
      'Content/Delete': () => content.find(request.digest) && content.blobs.delete(request.digest) && {},
      'Content/Status': () => ({ status: { ref: request.ref, offset: content.uploads.get(request.ref)?.byteLength ?? 0 } }),
      'Content/Abort': () => {
        content.uploads.delete(request.ref);
        content.locked.delete(request.ref);
        return {};
      },
      'Images/Get': () => ({ image: images.get(request.name) ?? refuse(5, `image ${JSON.stringify(request.name)}: not found`) }),
      'Images/List': () => ({ images: [...images.values()] }),
      'Images/Create': () => {
        if (images.has(request.image.name)) throw new Refusal(6, 'already exists');
        images.set(request.image.name, request.image);
        return { image: request.image };
      },
      'Images/Update': () => {
        const known = images.get(request.image.name) ?? refuse(5, 'not found');
        images.set(known.name, { ...known, target: request.image.target, labels: { ...known.labels, ...request.image.labels } });
        return { image: request.image };
      },
      'Images/Delete': () => (images.delete(request.name) ? {} : refuse(5, 'not found')),
      'Leases/Create': () => leases.set(request.id, new Set()) && { lease: { id: request.id } },
      'Leases/AddResource': () => leases.get(request.id)?.add(`${request.resource.type} ${request.resource.id}`) ?? refuse(5, 'no lease'),
      'Leases/Delete': () => {
        leases.delete(request.id);
        this.ended.push({ id: request.id, sync: request.sync });
        return {};
      },
      'Snapshots/Stat': () => (snapshots.has(request.key) ? { info: { name: request.key } } : refuse(5, 'snapshot does not exist: not found')),
      'Snapshots/Prepare': () => {
        if (lease === undefined) throw new Refusal(9, 'not under a lease');
        snapshots.set(request.key, request);
        return { mounts: [{ type: 'bind', source: '/fake', target: '', options: ['rw'] }] };
      },
      'Snapshots/Commit': () => {
        const { parent = '' } = snapshots.get(request.key) ?? refuse(5, 'not found');
        snapshots.delete(request.key);
        snapshots.set(request.name, { ...request, parent });
        return {};
      },
      'Snapshots/Remove': () => (snapshots.delete(request.key) ? {} : refuse(5, 'not found')),
      'Diff/Apply': () => ({ applied: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: this.applied(request.diff.digest), size: 1 } }),
    };
    return handlers[name]?.() ?? refuse(12, `${name} is not known here`);
  }

  #list(call: grpc.ServerWritableStream<Message, object>): void {
    this.calls.push('Content/List');
    call.write({ info: [...this.content.blobs.keys()].map((digest) => this.content.info(digest)) });
    call.end();
  }

  async #read(call: grpc.ServerWritableStream<Message, object>): Promise<void> {
    this.calls.push('Content/Read');
    call.on('cancelled', () => (this.cancelled += 1));
    try {
      const { digest, offset, size } = call.request;
      await this.before('Content/Read', call.request);
      const { bytes } = this.content.find(digest);
      for (const piece of this.reading(bytes.subarray(offset, size === 0 ? undefined : offset + size), offset)) {
        await this.before('Content/Read/piece', call.request);
        if (call.cancelled) return;
        if (!call.write(piece)) await new Promise((done) => void call.once('drain', done).once('cancelled', done));
      }
      call.end();
    } catch (error) {
      call.emit('error', statusOf(error));
    }
  }

  async #write(call: grpc.ServerDuplexStream<Message, object>): Promise<void> {
    this.calls.push('Content/Write');
    let ref: string | undefined;
    try {
      for await (const message of call.iterator({ destroyOnReturn: false })) {
        const request: Message = message;
        this.written.push({ action: request.action, offset: request.offset, bytes: request.data.byteLength });
        await this.before('Content/Write', request);
        if (request.action === 'STAT') {
          const offset = this.content.begin(request);
          ref = request.ref;
          call.write({ action: 'STAT', offset });
        } else {
          call.write({ action: request.action, ...(await this.content.take(request)) });
          if (request.action === 'COMMIT') break;
        }
      }
      call.end();
    } catch (error) {
      if (!call.cancelled) call.emit('error', statusOf(error));
    } finally {
      if (ref !== undefined) this.content.locked.delete(ref);
    }
  }
}

export function refuse(code: number, details: string): never {
  throw new Refusal(code, details);
}

function statusOf(error: unknown): { readonly code: number; readonly details: string } {
  return error instanceof Refusal ? { code: error.code, details: error.details } : { code: 13, details: String(error) };
}

/** The bytes of a blob from an offset, as they are sent. */
export function* pieces(bytes: Uint8Array, start: number, length = 65_536): Iterable<{ readonly offset: number; readonly data: Uint8Array }> {
  for (let at = 0; at < bytes.byteLength; at += length) yield { offset: start + at, data: bytes.subarray(at, at + length) };
}

/** A fake that runs until the test has finished, and a store over it. */
export async function fakeContainerd(options: Partial<ContainerdOptions> = {}): Promise<{ readonly fake: FakeContainerd; readonly store: ContainerdStore }> {
  const directory = mkdtempSync(join(tmpdir(), 'oci-tar-containerd-'));
  const fake = new FakeContainerd(join(directory, 'socket'));
  await fake.start();
  const store = await containerdStore({ address: fake.address, env: {}, ...options });
  onTestFinished(async () => {
    await store.close();
    fake.die();
    rmSync(directory, { recursive: true, force: true });
  });
  return { fake, store };
}

/** Bytes that repeat nowhere soon. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
