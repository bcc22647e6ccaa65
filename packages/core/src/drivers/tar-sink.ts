import { pack as createPack } from 'tar-stream';
import { bufferedSink } from '../bytes/stream.ts';
import type { ByteSink } from '../bytes/types.ts';

/** The few fields of a record that an image archive sets; everything else is fixed. */
export interface TarRecord {
  /** `/` between the parts; a directory's ends with one. */
  readonly name: string;
  readonly type: 'file' | 'directory';
  /** Permission bits. */
  readonly mode: number;
  /** In bytes; 0 for a directory. */
  readonly size: number;
}

/** What the tar driver writes through, small enough to be hooked: to count, to log, to send elsewhere. */
export interface TarSink {
  /** Starts a record. The one before must have got all its bytes. */
  writeHeader(record: TarRecord): Promise<void>;
  /** The next bytes of the record's body. */
  write(chunk: Uint8Array): Promise<void>;
  /** All bytes so far are with the sink below. */
  flush(): Promise<void>;
  /** Ends the archive and commits the sink below. */
  close(): Promise<void>;
  /** Gives the archive up: it is never ended, and the sink below takes back what it can. */
  abort(reason?: unknown): Promise<void>;
}

/** A TarSink over any ByteSink, written by tar-stream. Owner 0:0 and the epoch as time: the same records give the same bytes. */
export function tarSink(output: ByteSink): TarSink {
  const pack = createPack();
  const sink = bufferedSink(output);
  let entry: ReturnType<typeof pack.entry> | undefined;
  let recordEnd: Promise<void> = Promise.resolve();
  let failure: { readonly reason: unknown } | undefined;

  const fail = (reason: unknown) => {
    failure ??= { reason };
    pack.destroy();
  };
  const check = () => {
    if (failure !== undefined) throw failure.reason;
  };
  const passedOn = (async () => {
    for await (const chunk of pack) {
      // streamx does not say what it carries.
      if (!(chunk instanceof Uint8Array)) continue;
      // Caught here, since leaving the loop destroys the pack, whose own error would then come first.
      await sink.write(chunk).catch(fail);
      if (failure !== undefined) return;
    }
  })().catch(fail);
  // Without a listener an error of tar-stream's would end the process; `failure` carries it to the next call.
  pack.on('error', fail);

  return {
    async writeHeader(record) {
      check();
      const header = { name: record.name, mode: record.mode, size: record.size, type: record.type, uid: 0, gid: 0, mtime: new Date(0) };
      recordEnd = new Promise((resolve) => {
        entry = pack.entry(header, (error) => {
          if (error) fail(error);
          resolve();
        });
      });
      entry?.on('error', fail);
    },
    async write(chunk) {
      check();
      if (entry === undefined || entry.write(chunk)) return;
      await drained(entry);
      check();
    },
    async flush() {
      entry?.end(undefined);
      entry = undefined;
      await recordEnd;
      check();
    },
    async close() {
      check();
      pack.finalize();
      await passedOn;
      check();
      await sink.commit();
    },
    async abort(reason) {
      fail(reason);
      await passedOn;
      await output.abort(reason);
    },
  };
}

type Entry = ReturnType<ReturnType<typeof createPack>['entry']>;

/** Resolves when the entry takes more, or never will; the caller then looks for the failure. */
function drained(entry: Entry): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      entry.off('drain', done);
      entry.off('close', done);
      resolve();
    };
    entry.on('drain', done);
    entry.on('close', done);
  });
}
