import { abortable, assemble, codecByName, counted as countedBytes, decompressed, detectCodec, disassemble, disassembleUpstream, fileSource, namedFilesSink, namedFilesSource, openOutput, payloadSink, payloadSource } from '@oci-tar/core';
import type { ByteSink, ByteStream, ContentKey, NamedKey, OpenPayloadSink, PayloadKey, PayloadSource } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { archiveOutput } from '../outputs.ts';
import { counted, formatSize } from '../style.ts';

export const command = defineCommand({
  spec: '<action> <archive>',
  usage: '<disassemble|assemble> <archive.tar|->',
  words: {
    disassemble: 'Reads the archive; writes the metadata and the payloads',
    assemble: 'Reads both; writes the archive as it was, byte for byte',
    'archive.tar': 'The tar, read or written; - is standard input or output',
  },
  options: {
    metadata: { ...textOption('The file with all but the payloads; written gzip-compressed, read in any form'), demandOption: true },
    payloads: textOption('The directory with the payloads; disassemble without it only writes the metadata'),
    upstream: flagOption("disassemble: the format of vbatts/tar-split, which docker's and podman's tools read, with the payloads under their names"),
  },
  examples: [
    ['oci-tar tar-split disassemble layer.tar --metadata layer.split --payloads payloads', 'payloads lie by digest, each once'],
    ['oci-tar tar-split assemble --metadata layer.split --payloads payloads layer.tar', 'the same bytes again'],
    ['oci-tar tar-split disassemble layer.tar --upstream --metadata tar-split.json.gz --payloads root', "for upstream's tool"],
  ],
  remarks: 'Takes any file apart; what is no tar is kept whole. Putting together checks every size and digest, and in the own format that of the whole archive.',
  async run([action = '', archive = ''], { metadata, payloads, upstream = false }, context) {
    if (payloads === '') throw new UsageError('the name of the directory of payloads is empty');
    if (metadata === undefined) throw new UsageError('--metadata is needed');
    if (action === 'disassemble') return takeApart({ archive, metadata, payloads, upstream }, context);
    if (action !== 'assemble') throw new UsageError(`${action} is neither disassemble nor assemble`);
    if (payloads === undefined) throw new UsageError('--payloads is needed', 'Name the directory that disassemble wrote.');
    if (upstream) throw new UsageError('--upstream is for disassemble; assemble tells by the metadata');
    return putTogether({ archive, metadata, payloads }, context);
  },
});

interface Places {
  readonly archive: string;
  readonly metadata: string;
}

async function takeApart({ archive, metadata, payloads, upstream }: Places & { readonly payloads: string | undefined; readonly upstream: boolean }, context: Context): Promise<void> {
  if (metadata === '-' && context.json) throw new UsageError('--json writes to standard output, where the metadata go');
  const target = outputTo(context, metadata);
  const { bytes: tar, size: expected } = await input(context, archive);
  context.progress.start('taking apart', expected);
  let size = 0;
  const watched = countedBytes(abortable(noted(tar, context), context.signal), (count) => {
    size += count;
    context.progress.add(count);
  });
  const work = upstream ? intoNames(payloads === undefined ? nowhere() : await namedFilesSink(payloads), watched) : intoDigests(payloads === undefined ? nowhere() : await payloadSink(payloads), watched);
  try {
    const written = await into(await target(), codecByName('gzip').compress(work.lines, { level: 1 }));
    const { counts } = work.sink;
    await print(
      context,
      {
        json: { archive, metadata, ...(payloads === undefined ? {} : { payloads }), format: upstream ? 'upstream' : 'oci-tar', bytes: size, metadataBytes: written, payloadCount: counts.payloads, payloadBytes: counts.bytes, newPayloads: counts.written, newPayloadBytes: counts.writtenBytes },
        text: `took ${formatSize(size)} apart: ${formatSize(written)} of metadata, ${counted(counts.payloads, 'payload')} of ${formatSize(counts.bytes)}; ${counts.written} of those new, ${formatSize(counts.writtenBytes)}\n`,
      },
      metadata === '-' ? 'stderr' : 'stdout',
    );
  } finally {
    await work.sink.close();
  }
}

/** Counts payloads and keeps none. */
function nowhere(): OpenPayloadSink<PayloadKey> {
  let [payloads, bytes] = [0, 0];
  const count = ({ size }: PayloadKey) => {
    payloads += 1;
    bytes += size;
  };
  return {
    get counts() {
      return { payloads, bytes, written: 0, writtenBytes: 0 };
    },
    put: count,
    begin: () => ({ write: () => {}, commit: count, abort: () => {} }),
    close: async () => {},
  };
}

function intoNames(sink: OpenPayloadSink<NamedKey>, tar: ByteStream) {
  return { sink, lines: disassembleUpstream(tar, sink) };
}

function intoDigests(sink: OpenPayloadSink<ContentKey>, tar: ByteStream) {
  return { sink, lines: disassemble(tar, sink) };
}

async function putTogether({ archive, metadata, payloads }: Places & { readonly payloads: string }, context: Context): Promise<void> {
  const target = outputTo(context, archive);
  const { bytes: stored } = await input(context, metadata);
  context.progress.start('putting together');
  const { bytes } = await decompressed(stored);
  const tar = countedBytes(assemble(bytes, eitherSource(payloads), { signal: context.signal }), (count) => context.progress.add(count));
  const size = await into(await target(), tar);
  await print(context, { json: { archive, metadata, payloads, bytes: size }, text: `put ${formatSize(size)} together\n` }, archive === '-' ? 'stderr' : 'stdout');
}

/** The directory serves either kind of metadata. */
function eitherSource(payloads: string): PayloadSource {
  const byDigest = payloadSource(payloads);
  const byName = namedFilesSource(payloads);
  const sourceOf = (key: PayloadKey) => ('digest' in key ? byDigest : byName);
  return { open: (key) => sourceOf(key).open(key), readInto: (key, target) => sourceOf(key).readInto?.(key, target) ?? false };
}

async function input(context: Context, path: string): Promise<{ readonly bytes: ByteStream; readonly size?: number }> {
  if (path === '-') return { bytes: context.io.stdin.bytes() };
  const source = await fileSource(path);
  return { bytes: source.read(), size: source.size };
}

/** Refuses what cannot be written to now; opens it when it is called. */
function outputTo(context: Context, path: string): () => Promise<ByteSink> {
  const output = archiveOutput(context, path);
  return async () => (typeof output === 'string' ? openOutput(output) : output);
}

/** All of a stream into a sink, which appears whole or not at all. Returns how many bytes there were. */
async function into(sink: ByteSink, bytes: ByteStream): Promise<number> {
  let size = 0;
  try {
    for await (const run of bytes) {
      await sink.write(run);
      size += run.byteLength;
    }
    await sink.commit();
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
  return size;
}

/** A compressed archive is kept whole, which saves nothing. */
async function* noted(tar: ByteStream, context: Context): ByteStream {
  let first = true;
  for await (const run of tar) {
    if (first) {
      const { name } = detectCodec(run);
      if (name !== 'none') note(context, `the archive is compressed with ${name}, so it is kept in one piece; decompress it first to have it taken apart`);
      first = false;
    }
    yield run;
  }
}
