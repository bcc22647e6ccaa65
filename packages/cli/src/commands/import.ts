import { createReadStream, existsSync, statSync } from 'node:fs';
import { abortable, detectCodec, fileSource, importImages, importStream, localStore, normalizeName, openArchive } from '@oci-tar/core';
import type { ByteSource, ByteStream, ImageStore, ImportRequest, MoveReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { platformOptions, platformsOf, textOption } from '../options.ts';
import { displayName, noteGaps, reportJson, reportText } from '../outcome.ts';
import { isDirectory, naming } from '../places.ts';

const standardInput: ReadonlySet<string> = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/** One read from a FIFO, in bytes. */
const readSize = 1024 * 1024;

export const command = defineCommand({
  spec: '<archive> [new-name]',
  usage: '<in.tar|-> [new-name]',
  words: {
    archive: 'The archive: OCI, plain or compressed with gzip or zstd; - is standard input',
    'new-name': 'A new name for the one image in it',
  },
  options: {
    'base-name': textOption('Completes names that are only a tag, and leaves out images that do not begin with it'),
    ...platformOptions,
  },
  examples: [
    ['oci-tar import hello.tar', 'all images of an archive, under the names they have there'],
    ['oci-tar import hello.tar mine:1', 'the one image of an archive, under a new name'],
    ['curl -s https://example.org/hello.tar.gz | oci-tar import -', 'from a pipe; each byte is written to disk once'],
    ['oci-tar import v1.tar --base-name example.org/app', 'an image that is only called v1 becomes example.org/app:v1'],
  ],
  remarks: 'Every blob is checked against its digest before it is visible. Names appear when everything is there.',
  async run(words, options, context) {
    const [archive = '', name] = words;
    const { 'base-name': baseName } = options;
    if (name !== undefined && baseName !== undefined) throw new UsageError('a new name and --base-name exclude each other');
    if (name !== undefined) normalizeName(name);
    const target = await localStore(context.store);
    context.progress.start('importing');
    const request: ImportRequest = {
      target,
      signal: context.signal,
      onEvent: (event) => context.progress.event(event),
      ...platformsOf(options),
      ...(name === undefined ? {} : { name }),
      ...(baseName === undefined ? {} : { baseName }),
    };
    const report = await naming(standardInput.has(archive) ? 'standard input' : archive, () => imported(archive, request, context)).finally(() => target.close());
    noteGaps(context, report.gaps);
    await print(context, {
      json: reportJson(report),
      text: reportText('imported', report, `from ${standardInput.has(archive) ? 'standard input' : archive}`),
      names: report.images.map(displayName),
    });
  },
});

async function imported(path: string, request: ImportRequest, context: Context): Promise<MoveReport> {
  if (standardInput.has(path)) {
    if (context.io.stdin.isTerminal) throw new UsageError('standard input is a terminal', 'Name a file, or pipe an archive in: oci-tar import hello.tar');
    return streamed(context.io.stdin.bytes(), request, context);
  }
  if (isDirectory(path)) throw new UsageError(`${path} is a directory`, `To take images from an image layout: oci-tar copy oci:${path} store:NAME`);
  if (existsSync(path) && !statSync(path).isFile()) return streamed(createReadStream(path, { highWaterMark: readSize }), request, context);
  const file = await fileSource(path);
  // A compressed file has no random access: it is read front to back like a pipe, so that nothing is unpacked beside it.
  if (detectCodec(await head(file)).name !== 'none') {
    context.progress.start('importing', file.size);
    return streamed(file.read(), request, context);
  }
  const source: ImageStore = await openArchive(path, { signal: context.signal, onNote: (text) => note(context, text) });
  try {
    return await importImages(source, request);
  } finally {
    await source.close();
  }
}

function streamed(bytes: ByteStream, request: ImportRequest, context: Context): Promise<MoveReport> {
  return importStream(context.progress.watch(abortable(bytes, context.signal)), request);
}

async function head(source: ByteSource): Promise<Uint8Array> {
  for await (const chunk of source.read(0, Math.min(source.size, 6))) return chunk;
  return new Uint8Array();
}
