import { basename, posix, resolve } from 'node:path';
import { statSync } from 'node:fs';
import { OciTarError, counted, dockerContainers, openOutput, packFiles, pieceBytes, uploadFailure } from '@oci-tar/core';
import type { ByteStream, DockerContainers, PackOptions, PackSource, PathStat } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { containerPath } from '../container-word.ts';
import type { ContainerPath } from '../container-word.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { archiveOutput } from '../outputs.ts';
import { isDirectory, isPathLike } from '../places.ts';
import { counted as many, formatSize } from '../style.ts';

export const command = defineCommand({
  spec: '<from..>',
  usage: '<file...> container:<id>:/path, or container:<id>:/path <dir|out.tar|->',
  words: {
    file: 'Files and directories, each under its own name; DIR/. is what is in it; - is a tar on standard input',
    'container:<id>:/path': 'A path in a container, running or not, by the name or ID of that',
    dir: 'The directory to make, out.tar or - for the tar itself',
  },
  options: {
    host: { ...textOption('The docker engine: unix:///PATH or tcp://HOST:PORT; by default as docker finds it'), alias: 'H' },
    context: textOption("A context of docker's, instead of the current one"),
    archive: { ...flagOption('Keeps owners; by default root owns what is copied in, and you what is copied out'), alias: 'a' },
  },
  examples: [
    ['oci-tar cp app.conf certs container:web:/etc/app', 'files and directories into a directory of a container'],
    ['oci-tar cp app.conf container:web:/etc/app/main.conf', 'one file, under another name'],
    ['oci-tar cp container:web:/var/log logs', 'out of a container, as logs/log'],
    ['oci-tar cp container:web:/etc/hosts - | tar -xO', 'as a tar, through a pipe'],
  ],
  remarks: 'Files are read while the engine extracts them: there is no temporary archive. What is copied out appears whole or not at all, and nothing outside of its directory is touched, whatever the container says.',
  async run(words, options, context) {
    const [first = '', ...others] = words;
    const last = others.at(-1);
    if (last === undefined) throw new UsageError('an argument is missing', 'Write oci-tar cp FILE container:ID:/path, or oci-tar cp container:ID:/path DIR.');
    const [from, to] = [containerPath(first), containerPath(last)];
    if ((from === undefined) === (to === undefined)) throw new UsageError('one side has to be a container, and only one', 'Write container:ID:/path for it.');
    const { host, context: named } = options;
    const engine = { ...(host === undefined ? {} : { host }), ...(named === undefined ? {} : { context: named }) };
    const containers = await dockerContainers({ env: context.io.env, signal: context.signal, ...engine });
    const keepOwners = options.archive === true;
    try {
      if (to !== undefined) return await copyIn(containers, words.slice(0, -1), to, keepOwners, context);
      if (from === undefined || others.length > 1) throw new UsageError(`unexpected argument: ${others[0] ?? ''}`, 'Out of a container goes one path at a time.');
      return await copyOut(containers, from, last, keepOwners, context);
    } finally {
      await containers.close();
    }
  },
});

async function copyIn(containers: DockerContainers, words: readonly string[], target: ContainerPath, keepOwners: boolean, context: Context): Promise<void> {
  const isTar = words.includes('-');
  if (isTar && words.length > 1) throw new UsageError('a tar on standard input is copied alone');
  if (isTar && context.io.stdin.isTerminal) throw new UsageError('standard input is a terminal', 'Pipe a tar in.');
  const { directory, name } = isTar ? { directory: target.path, name: undefined } : await placeIn(containers, words, target);
  let bytes = 0;
  context.progress.start('copying');
  const archive = isTar ? context.io.stdin.bytes() : packed(words.map((word) => sourceOf(word, name)), keepOwners, context);
  const watched = counted(archive, (count) => {
    bytes += count;
    context.progress.add(count);
  });
  const result = await containers.uploadArchive(target.container, directory, watched, { signal: context.signal });
  if (result.outcome !== 'done') throw uploadFailure(result, target.container);
  const where = `${target.container}:${name === undefined ? directory : target.path}`;
  const text = `copied ${isTar ? 'a tar' : many(words.length, 'path')} to ${where}, ${formatSize(bytes)} of tar\n`;
  await print(context, { json: { container: target.container, path: target.path, bytes }, text });
}

function packed(sources: readonly PackSource[], keepOwners: boolean, context: Context): ByteStream {
  const onSkip: PackOptions['onSkip'] = ({ path, why }) => note(context, `left out: ${path} (${why})`);
  return pieceBytes(packFiles(sources, { ...(keepOwners ? {} : { uid: 0, gid: 0 }), signal: context.signal, onSkip }));
}

/** The directory to extract into and, where that is not a source's own, the name there. */
async function placeIn(containers: DockerContainers, words: readonly string[], { container, path }: ContainerPath): Promise<{ readonly directory: string; readonly name?: string }> {
  let found = await containers.statPath(container, path);
  if (found?.type === 'symlink' && found.linkTarget !== '') found = (await containers.statPath(container, found.linkTarget)) ?? found;
  if (found?.type === 'directory') return { directory: path };
  const [only = ''] = words;
  if (words.length > 1 || path.endsWith('/')) throw notDirectory(container, path, found);
  // A file is replaced by a file alone, as cp does it.
  if (found !== undefined && isDirectory(only)) throw notDirectory(container, path, found);
  return { directory: posix.dirname(path), name: posix.basename(path) };
}

function notDirectory(container: string, path: string, found: PathStat | undefined): OciTarError {
  if (found === undefined) return new OciTarError('NOT_FOUND', `${container} has no directory ${path}`, { side: 'target', subject: path });
  return new OciTarError('CONFLICT', `${path} in ${container} is a ${found.type}, not a directory`, { side: 'target', subject: path });
}

function sourceOf(word: string, name: string | undefined): PackSource {
  if (name !== undefined) return { path: word, name };
  // As in cp: what is in the directory, not the directory itself.
  if (/(?:^|\/)\.\/*$/.test(word)) return { path: word, name: '' };
  const own = basename(resolve(word));
  if (own === '') throw new UsageError(`${word} has no name of its own`, `To mean what is in it, write ${word.replace(/\/+$/, '')}/.`);
  return { path: word, name: own };
}

async function copyOut(containers: DockerContainers, { container, path }: ContainerPath, output: string, keepOwners: boolean, context: Context): Promise<void> {
  const json = { container, path, output };
  context.progress.start('copying');
  const onBytes = (count: number) => context.progress.add(count);
  if (isPathLike(output) && (output === '-' || /\.tar$/i.test(output))) {
    const sink = archiveOutput(context, output);
    const { archive } = await containers.downloadArchive(container, path, { signal: context.signal });
    const bytes = await written(archive, typeof sink === 'string' ? await openOutput(sink) : sink, onBytes);
    const text = `copied ${container}:${path} to ${output === '-' ? 'standard output' : output}, ${formatSize(bytes)} of tar\n`;
    return print(context, { json: { ...json, bytes }, text }, output === '-' ? 'stderr' : 'stdout');
  }
  const isFile = statSync(output, { throwIfNoEntry: false })?.isFile() === true;
  if (isFile) throw new UsageError(`${output} is a file`, 'Name a directory that is made, or write out.tar or - for the tar itself.');
  const report = await containers.downloadTree(container, path, output, { signal: context.signal, onBytes, ...(keepOwners ? {} : { rootless: true }) });
  for (const { kind, count, paths } of report.leftOut) {
    // Everything belongs to the caller: that is what was asked for.
    if (kind !== 'owner' || keepOwners) note(context, `not as in the container: ${kind} of ${many(count, 'path')} (${paths.slice(0, 3).join(', ')})`);
  }
  const { entries, bytes } = report;
  const text = `copied ${container}:${path} to ${output}: ${many(entries, 'path')}, ${formatSize(bytes)}\n`;
  return print(context, { json: { ...json, entries, bytes, leftOut: report.leftOut }, text, names: [output] });
}

async function written(archive: ByteStream, sink: Awaited<ReturnType<typeof openOutput>>, onBytes: (count: number) => void): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of archive) {
      await sink.write(chunk);
      bytes += chunk.byteLength;
      onBytes(chunk.byteLength);
    }
    await sink.commit();
    return bytes;
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
}
