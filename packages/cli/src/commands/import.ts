import { createReadStream, existsSync, statSync } from 'node:fs';
import { OciTarError, abortable, checkConfigs, detectCodec, fileSource, importImages, importStream, importedImages, localStore, normalizeName, openArchive } from '@oci-tar/core';
import type { ByteSource, ByteStream, ImageStore, ImportReport, ImportRequest } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { dryRun, dryRunOptions, isDryRun } from '../dry-run.ts';
import { UsageError } from '../failure.ts';
import { namingOf, namingOptions, noteSkipped, skippedJson } from '../naming.ts';
import { flagOption, platformOptions, platformsOf, referrerOptions, referrersOf } from '../options.ts';
import { displayName, noteGaps, noteReferrers, reportJson, reportText } from '../outcome.ts';
import { isDirOfSkopeo, isDirectory, jobsOf, naming as tellingOf } from '../places.ts';
import { unpacked } from '../unpacked.ts';
import { unpackingOf, unpackingOptions } from '../unpacking.ts';

const standardInput: ReadonlySet<string> = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/** One read from a FIFO, in bytes. */
const readSize = 1024 * 1024;

export const command = defineCommand({
  spec: '<archive> [new-name]',
  usage: '<in.tar|-> [new-name]',
  words: {
    archive: "The archive: OCI or docker's, plain or compressed with gzip or zstd; - is standard input",
    'new-name': 'A new name for the one image in it',
  },
  options: {
    ...namingOptions,
    'compress-blobs': flagOption('Compresses the plain layers of a docker archive with gzip; the image ID stays'),
    ...platformOptions,
    ...referrerOptions,
    ...unpackingOptions,
    ...dryRunOptions,
  },
  examples: [
    ['oci-tar import hello.tar', 'all images of an archive, under the names they have there'],
    ['oci-tar import hello.tar mine:1', 'the one image of an archive, under a new name'],
    ['curl -s https://example.org/hello.tar.gz | oci-tar import -', 'from a pipe; each byte is written to disk once'],
    ['oci-tar import v1.tar --base-name example.org/app', 'an image that is only called v1 becomes example.org/app:v1'],
    ['oci-tar import hello.tar --store containerd:k8s.io/ --unpack', 'into a running containerd, ready to start containers from'],
    ['oci-tar import hello.tar --dry-run --verify', 'what is in it, whether all of it is sound, and what would be new here'],
  ],
  remarks: 'Every blob is checked against its digest before it is visible. Names appear when everything is there.',
  async run(words, options, context) {
    const [archive = '', name] = words;
    const naming = namingOf(options, name);
    for (const given of [name, options['index-name']]) if (given !== undefined) normalizeName(given);
    const where = standardInput.has(archive) ? 'standard input' : archive;
    const wanted = { ...platformsOf(options), ...referrersOf(options) };
    const target = await localStore(context.store, { signal: context.signal, containerd: unpackingOf(options, wanted.platforms, context) });
    if (isDryRun(options)) {
      const look = async () => {
        const source = await archiveAt(archive, context);
        try {
          const selection = await importedImages(source, naming);
          noteSkipped(context, selection.skipped);
          const { source: view, images, skipped } = selection;
          return await dryRun({ source: view, images, target, json: skippedJson(skipped), ...wanted, check: checkConfigs, verify: options.verify === true }, context);
        } finally {
          await source.close();
        }
      };
      return tellingOf(where, look).finally(() => target.close());
    }
    context.progress.start('importing');
    const request: ImportRequest = {
      target,
      from: where,
      signal: context.signal,
      ...jobsOf(context),
      onEvent: (event) => context.progress.event(event),
      ...wanted,
      ...naming,
      ...(options['compress-blobs'] === true && { compressBlobs: true }),
      onNote: (text) => note(context, text),
    };
    const report = await tellingOf(where, () => imported(archive, request, context)).finally(() => target.close());
    noteGaps(context, report.gaps);
    noteReferrers(context, report);
    noteSkipped(context, report.skipped);
    return print(context, {
      json: { ...reportJson(report), ...skippedJson(report.skipped) },
      text: reportText('imported', report, `from ${where}`),
      names: report.images.map(displayName),
    });
  },
});

async function imported(path: string, request: ImportRequest, context: Context): Promise<ImportReport> {
  if (standardInput.has(path)) {
    if (context.io.stdin.isTerminal) throw new UsageError('standard input is a terminal', 'Name a file, or pipe an archive in: oci-tar import hello.tar');
    return streamed(notEmpty(context.io.stdin.bytes()), request, context);
  }
  if (isDirectory(path)) throw directoryError(path);
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

/** An archive that never comes: its maker failed, or nothing was piped in at all. */
async function* notEmpty(bytes: ByteStream): ByteStream {
  let isEmpty = true;
  for await (const chunk of bytes) {
    isEmpty &&= chunk.byteLength === 0;
    yield chunk;
  }
  if (!isEmpty) return;
  throw new OciTarError('INVALID_TAR', 'standard input is empty', {
    side: 'source',
    offset: 0,
    hint: 'Pipe an archive in: oci-tar import - < in.tar; if one was, see what the command before the pipe says.',
  });
}

function streamed(bytes: ByteStream, request: ImportRequest, context: Context): Promise<ImportReport> {
  return importStream(unpacked(context.progress.watch(abortable(bytes, context.signal))), request);
}

/** An archive for a dry run, which has to be a file. */
async function archiveAt(path: string, context: Context): Promise<ImageStore> {
  if (isDirectory(path)) throw directoryError(path);
  if (standardInput.has(path) || (existsSync(path) && !statSync(path).isFile())) {
    throw new OciTarError('UNSUPPORTED', 'a dry run looks at an archive several times, and a pipe comes only once', {
      subject: path,
      side: 'source',
      hint: 'Write the archive into a file first: cat > in.tar; oci-tar import in.tar --dry-run',
    });
  }
  return openArchive(path, { signal: context.signal, onNote: (text) => note(context, text) });
}

function directoryError(path: string): UsageError {
  return new UsageError(`${path} is a directory`, `To take an image from ${isDirOfSkopeo(path) ? 'it: oci-tar copy dir' : 'an image layout: oci-tar copy oci'}:${path} store:NAME`);
}

async function head(source: ByteSource): Promise<Uint8Array> {
  for await (const chunk of source.read(0, Math.min(source.size, 6))) return chunk;
  return new Uint8Array();
}
