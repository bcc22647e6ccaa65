import { OciTarError } from '../errors.ts';
import type { TarSink } from './tar-sink.ts';

const directoryMode = 0o755;

/** The records of one archive: in order, one at a time, each name once; spoiled for good by the first failure. */
export class TarRecords {
  readonly #sink: TarSink;
  /** Names, or what stands for them: a blob's digest, which is in memory anyway. */
  readonly #taken = new Set<string>();
  #open: string | undefined;
  #spoiled: { readonly reason: unknown } | undefined;
  #ended = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  has(key: string): boolean {
    return this.#taken.has(key);
  }

  /** Throws what spoiled the archive, or CONFLICT after its end. */
  check(): void {
    if (this.#spoiled !== undefined) throw this.#spoiled.reason;
    if (this.#ended) throw new OciTarError('CONFLICT', 'the archive has been ended');
  }

  /** A whole record. Several callers take turns. */
  file(header: FileHeader, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const turn = this.#last.then(async () => {
      const record = await this.start(header);
      try {
        for await (const chunk of body) await record.write(chunk);
      } catch (error) {
        record.spoil(error);
        throw error;
      }
      await record.end();
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** A directory's record, once. */
  directory(name: string): Promise<void> {
    const turn = this.#last.then(async () => {
      this.check();
      if (this.#taken.has(name)) return;
      this.#claim(name);
      await this.#try(() => this.#sink.writeHeader({ name, type: 'directory', mode: directoryMode, size: 0 }));
      await this.#try(() => this.#sink.flush());
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** A record whose body comes piece by piece. CONFLICT while another is open, or when the name is taken. */
  async start({ name, mode, size, key = name }: FileHeader): Promise<OpenRecord> {
    this.check();
    this.#claim(name, key);
    this.#open = name;
    await this.#try(() => this.#sink.writeHeader({ name, type: 'file', mode, size }));
    return {
      write: (chunk) => this.#try(() => this.#sink.write(chunk)),
      end: async () => {
        await this.#try(() => this.#sink.flush());
        this.#open = undefined;
      },
      spoil: (reason) => {
        this.#spoiled ??= { reason };
      },
    };
  }

  async end(): Promise<void> {
    if (this.#ended && this.#spoiled === undefined) return;
    await this.#last;
    this.check();
    if (this.#open !== undefined) throw new OciTarError('CONFLICT', `the archive cannot be ended inside ${this.#open}`);
    await this.#try(() => this.#sink.close());
    this.#ended = true;
  }

  async abort(reason: unknown): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#spoiled ??= { reason: reason ?? new OciTarError('CONFLICT', 'the archive was given up') };
    await this.#sink.abort(reason);
  }

  #claim(name: string, key: string = name): void {
    if (this.#open !== undefined) throw new OciTarError('CONFLICT', `a tar archive takes one record at a time: ${name} cannot start inside ${this.#open}`);
    if (this.#taken.has(key)) throw new OciTarError('CONFLICT', `${name} is in the archive already, and an archive cannot be changed`, { subject: name });
    this.#taken.add(key);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.check();
    try {
      await work();
    } catch (error) {
      this.#spoiled ??= { reason: error };
      throw error;
    }
  }
}

export interface FileHeader {
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  /** What `has` asks for; the name by default. */
  readonly key?: string;
}

export interface OpenRecord {
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** The record stays incomplete, and with it the archive. */
  spoil(reason: unknown): void;
}
