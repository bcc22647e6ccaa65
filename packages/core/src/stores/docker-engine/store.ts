import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { ImageStore, NamedImage, WriteSession } from '../../image/store.ts';
import type { Plan } from '../../image/plan.ts';
import { completed } from '../../layout/names.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { isComputable, isDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { normalizeName } from '../../spec/reference.ts';
import { archiveTarget } from '../archive.ts';
import { EngineClient } from './client.ts';
import { inspectImage, keepsManifests, listImages, removeImage } from './images.ts';
import { loadSink } from './load.ts';
import type { DockerEngineOptions } from './options.ts';
import { saveImages, savedImage } from './saved.ts';

/** The images of a docker engine, with what only an engine has. */
export interface DockerEngineStore extends ImageStore {
  /** The version of its API that is spoken, such as `1.41`. */
  version(): Promise<string>;
  /** The archive that the engine writes of these images, as it comes: what `importStream` takes, for a target that keeps each byte once. */
  save(references: readonly string[]): ByteStream;
}

/**
 * The images of a running docker engine (20.10 and later), found as docker finds it. Nothing is asked before it is needed. Reading
 * has the engine save the image into a temporary file, once; writing streams an archive into `POST /images/load`, and names are there when the
 * engine has taken all of it. Digests of manifests stay where the engine keeps manifests; else the image ID stays.
 * ENGINE with the status in `actual`, NOT_FOUND, FORBIDDEN, TIMEOUT; UNSUPPORTED for an engine that is too old and for ssh://.
 */
export async function dockerEngineStore(options: DockerEngineOptions = {}): Promise<DockerEngineStore> {
  return new Store(await EngineClient.open(options), options);
}

class Store implements DockerEngineStore {
  readonly name: string;
  readonly #client: EngineClient;
  readonly #options: DockerEngineOptions;
  /** By the name that they were asked for. */
  readonly #saved = new Map<string, ReturnType<typeof savedImage>>();
  /** What was listed, which says how large an image is; it is not read for that. */
  readonly #listed = new Map<Digest, number>();

  constructor(client: EngineClient, options: DockerEngineOptions) {
    this.name = `the docker engine at ${client.address.name}`;
    this.#client = client;
    this.#options = options;
  }

  version(): Promise<string> {
    return this.#client.version();
  }

  save(references: readonly string[]): ByteStream {
    return saveImages(this.#client, references, this.#options.signal);
  }

  async *images(): AsyncIterable<NamedImage> {
    for (const image of await listImages(this.#client, this.#call())) {
      this.#listed.set(image.descriptor.digest, image.descriptor.size);
      yield image;
    }
  }

  async resolve(reference: string): Promise<NamedImage> {
    const { id } = await inspectImage(this.#client, reference, this.name, this.#call());
    // An identifier, which may be the beginning of an image ID, is no name.
    const name = (isDigest(reference) && isComputable(reference)) || id.startsWith(`sha256:${reference}`) ? undefined : completed(reference);
    const wanted = name ?? id;
    const saving = this.#saved.get(wanted) ?? savedImage(this.#client, wanted, this.#options);
    this.#saved.set(wanted, saving);
    const { image } = await saving.catch((error: unknown) => {
      this.#saved.delete(wanted);
      throw error;
    });
    return { ...(name === undefined ? {} : { name }), descriptor: image.descriptor };
  }

  async open(blob: Descriptor): Promise<ByteSource> {
    for (const saving of this.#saved.values()) {
      try {
        return await (await saving).store.open(blob);
      } catch (error) {
        if (!isOciTarError(error, 'NOT_FOUND')) throw error;
      }
    }
    const hint = this.#saved.size === 0 ? { hint: 'Name the image: docker-daemon:NAME' } : {};
    const absent = new OciTarError('NOT_FOUND', `${this.name} has not saved a blob ${blob.digest} (${blob.mediaType}, ${blob.size} bytes)`, { subject: blob.digest, ...hint });
    if (this.#listed.get(blob.digest) === blob.size) return { size: blob.size, read: () => refused(absent) };
    throw absent;
  }

  async begin(plan?: Plan, { signal }: { readonly signal?: AbortSignal } = {}): Promise<WriteSession> {
    if (plan === undefined) throw new OciTarError('UNSUPPORTED', `${this.name} must be told all that comes before it is begun`, { side: 'target', subject: this.name });
    const signals = [signal, this.#options.signal].filter((one) => one !== undefined);
    const stop = signals.length < 2 ? signals[0] : AbortSignal.any(signals);
    // The classic store takes one platform, and no layers of zstd before docker 23: that is what a docker archive holds.
    const format = (await keepsManifests(this.#client, { signal: stop })) ? 'oci' : 'docker';
    const target = archiveTarget(loadSink(this.#client, this.#options, stop), { style: 'archive', format });
    if (target.begin === undefined) throw new TypeError('an archive can be written');
    // What is no whole name would be left out.
    const images = plan.images.map(({ name, descriptor }) => (name === undefined ? { descriptor } : { name: normalizeName(name), descriptor }));
    const session = await target.begin({ ...plan, images }, stop === undefined ? {} : { signal: stop });
    const { sequential = true } = session;
    return {
      sequential,
      has: (blob) => session.has(blob),
      push: (content, options) => session.push(content, options),
      name: (reference, root) => session.name(reference === undefined ? undefined : normalizeName(reference), root),
      end: () => session.end(),
      abort: (reason) => session.abort(reason),
    };
  }

  remove(reference: string): Promise<void> {
    return removeImage(this.#client, reference, this.#call());
  }

  async close(): Promise<void> {
    for (const saving of this.#saved.values()) await saving.then(({ store }) => store.close(), () => {});
    this.#saved.clear();
    await this.#client.close();
  }

  #call(): { readonly signal?: AbortSignal | undefined } {
    return { signal: this.#options.signal };
  }
}

async function* refused(error: OciTarError): ByteStream {
  yield* [];
  throw error;
}
