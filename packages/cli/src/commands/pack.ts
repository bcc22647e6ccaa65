import { counted, openOutput, packFiles, pieceBytes } from '@oci-tar/core';
import type { ByteSink, ByteStream } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { compressOptions, compressionOf, flagOption, textOption } from '../options.ts';
import { archiveOutput } from '../outputs.ts';
import { createdSeconds } from '../values.ts';
import { readXattrs } from '../xattrs.ts';

export const command = defineCommand({
  spec: '<dir..>',
  usage: '<dir...> <out.tar|->',
  words: {
    dir: 'Directories, whose contents are at the top of the archive, and single files, under their own names',
    'out.tar': 'The archive to write; - is standard output',
  },
  options: {
    output: { ...textOption('The archive, instead of the last argument'), alias: 'o' },
    mtime: textOption('RFC 3339 or seconds since 1970: the time of every entry. By default each its own, but none later than SOURCE_DATE_EPOCH'),
    owner: textOption('UID:GID of every entry, such as 0:0; by default each its own'),
    xattrs: flagOption('Extended attributes, too: user.*, trusted.* and capabilities of programs; getfattr(1) reads them'),
    'buffer-size': textOption('Bytes that are read of a file at once; rounded down to whole blocks of 512'),
    ...compressOptions,
  },
  examples: [
    ['oci-tar pack rootfs rootfs.tar', 'what is in a directory, sorted by name'],
    ['oci-tar pack rootfs rootfs.tar.gz --owner 0:0 --mtime 0', 'the same bytes, whoever packs it and when'],
    ['oci-tar pack site config.json - | ssh host tar -xf - -C /srv', 'a directory and a file, through a pipe'],
  ],
  remarks: 'A file that shrinks or grows while it is read is an error, and no archive appears. Sockets are left out and named.',
  async run(words, options, context) {
    const { sources, output } = divided(words, options.output);
    const target = archiveOutput(context, output);
    const compression = compressionOf(options, output);
    const owner = ownerOf(options.owner);
    const times = timesOf(options.mtime, context);
    const bufferSize = bufferSizeOf(options['buffer-size']);
    const xattrs = options.xattrs === true ? { xattrs: await readXattrs(sources, context.signal) } : {};
    let entries = 0;
    let bytes = 0;
    const pieces = packFiles(sources, {
      ...owner,
      ...times,
      ...bufferSize,
      ...xattrs,
      // Without a compressor this thread has nothing else to do.
      readAhead: compression.compression !== undefined,
      signal: context.signal,
      onEntry: () => (entries += 1),
      onSkip: ({ path, why }) => note(context, `left out: ${path} (${why})`),
    });
    const plain = counted(pieceBytes(pieces), (count) => (bytes += count));
    const { compression: codec, ...level } = compression;
    await written(codec === undefined ? plain : codec.compress(plain, level), target, context.signal);
    const where = typeof target === 'string' ? `to ${target}` : 'to standard output';
    const text = `packed ${entries} ${entries === 1 ? 'entry' : 'entries'} ${where}, ${bytes} bytes of tar\n`;
    return print(context, { json: { output, entries, bytes }, text }, typeof target === 'string' ? 'stdout' : 'stderr');
  },
});

function divided(words: readonly string[], given: string | undefined): { readonly sources: readonly string[]; readonly output: string } {
  if (given !== undefined) return { sources: words, output: given };
  const output = words.at(-1) ?? '';
  if (words.length < 2) throw new UsageError('no archive was named', `Name the file to write, or - for standard output: oci-tar pack ${output} out.tar`);
  return { sources: words.slice(0, -1), output };
}

/** Into a file that appears whole or not at all, or into the pipe. */
async function written(bytes: ByteStream, target: string | ByteSink, signal: AbortSignal): Promise<void> {
  const sink = typeof target === 'string' ? await openOutput(target) : target;
  try {
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      await sink.write(chunk);
    }
    await sink.commit();
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
}

function ownerOf(text: string | undefined): { readonly uid?: number; readonly gid?: number } {
  if (text === undefined) return {};
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  if (uid === undefined || gid === undefined) throw new UsageError(`--owner ${text} is not UID:GID`, 'Write two numbers, such as --owner 0:0.');
  return { uid: Number(uid), gid: Number(gid) };
}

function timesOf(mtime: string | undefined, context: Context): { readonly mtime?: number; readonly mtimeLimit?: number } {
  if (mtime !== undefined) return { mtime: moment(mtime) };
  return (context.io.env['SOURCE_DATE_EPOCH'] ?? '') === '' ? {} : { mtimeLimit: createdSeconds(undefined, context.io.env) };
}

function moment(text: string): number {
  try {
    return createdSeconds(text, {});
  } catch {
    throw new UsageError(`--mtime ${text} is no moment since 1970`, 'Write 2026-11-22T12:00:00Z or seconds since 1970.');
  }
}

function bufferSizeOf(text: string | undefined): { readonly bufferSize?: number } {
  if (text === undefined) return {};
  const bufferSize = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (bufferSize < 512) throw new UsageError(`--buffer-size ${text} is not a number of bytes from 512 on`);
  return { bufferSize };
}
