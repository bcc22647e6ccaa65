import { writeTree } from '#runtime/write-tree';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import type { WriteReport, WriteTreeOptions } from '../../runtime/tree-writer.ts';
import { entries } from '../../tar/entries.ts';
import { pieceBytes } from '../../tar/pack.ts';
import { EngineClient } from './client.ts';
import { answerFailure } from './failure.ts';
import type { DockerEngineOptions } from './options.ts';
import { parsePathStat } from './path-stat.ts';
import type { PathStat } from './path-stat.ts';

/** How an upload ended. What was extracted before the engine refused the rest stays. */
export type UploadOutcome = { readonly outcome: 'done' } | RefusedUpload;

export interface RefusedUpload {
  /**
   * By status: 400, 403, 404 of a container that does not exist, 404 of a path in it that does not, 500. docker 20.10 says 500 of what is
   * read-only or no directory, too: these count as 403 and 400.
   */
  readonly outcome: 'bad-parameter' | 'permission-denied' | 'no-such-container' | 'no-such-path' | 'server-error';
  readonly status: number;
  /** What the engine says. */
  readonly message: string;
}

/** A tar archive: as bytes, or as the pieces that `packFiles` gives. */
export type UploadedArchive = AsyncIterable<Uint8Array | { readonly bytes: Uint8Array }>;

export interface UploadOptions {
  /** A directory of the container must not be replaced by something else, nor the other way round; replaced by default. */
  readonly noOverwriteDirNonDir?: boolean;
  /** Everything belongs to the container's user instead of the owners in the archive. */
  readonly copyUIDGID?: boolean;
  readonly signal?: AbortSignal;
}

/** Files of containers, running or not, on one docker engine. */
export interface DockerContainers {
  /**
   * Extracts an archive into a directory of a container (`PUT /containers/{id}/archive`). Pulled at the engine's pace; what is left of the
   * archive is not read when the engine answers before its end. Throws what the archive throws, and ENGINE or TIMEOUT where no answer comes.
   */
  uploadArchive(container: string, path: string, archive: UploadedArchive, options?: UploadOptions): Promise<UploadOutcome>;
  /** The archive of a file or directory of a container, under its own name. NOT_FOUND, FORBIDDEN, ENGINE. */
  downloadArchive(container: string, path: string, options?: Call): Promise<{ readonly stat: PathStat; readonly archive: ByteStream }>;
  /** The same as files on disk: `directory` is made, whole or not at all, with what the path is called in it. Errors as of `writeTree` too. */
  downloadTree(container: string, path: string, directory: string, options?: WriteTreeOptions): Promise<WriteReport>;
  /** What a path of a container is; undefined where it does not exist. NOT_FOUND for the container. */
  statPath(container: string, path: string, options?: Call): Promise<PathStat | undefined>;
  close(): Promise<void>;
}

type Call = { readonly signal?: AbortSignal };

const outcomes: Readonly<Record<number, RefusedUpload['outcome']>> = { 400: 'bad-parameter', 403: 'permission-denied' };

/** The containers of a running docker engine (20.10 and later), found as docker finds it. Nothing is asked before it is needed. */
export async function dockerContainers(options: DockerEngineOptions = {}): Promise<DockerContainers> {
  const client = await EngineClient.open(options);
  const containers: DockerContainers = {
    async uploadArchive(container, path, archive, { noOverwriteDirNonDir, copyUIDGID, signal } = {}) {
      const answer = await client.request({
        method: 'PUT',
        path: archivePath(container),
        query: [['path', path], ...Object.entries({ noOverwriteDirNonDir, copyUIDGID }).flatMap(([flag, set]) => (set === true ? [[flag, '1'] as const] : []))],
        body: { type: 'application/x-tar', bytes: pieceBytes(piecesOf(archive)) },
        what: `copy into ${container}`,
        subject: container,
        expect: [400, 403, 404, 500],
        work: true,
        signal,
      });
      const { status } = answer;
      if (status < 300) {
        await answer.discard();
        return { outcome: 'done' };
      }
      const message = await answer.message();
      return { outcome: outcomeOf(status, message), status, message };
    },
    async downloadArchive(container, path, { signal } = {}) {
      const what = `copy ${path} out of ${container}`;
      const answer = await client.request({ method: 'GET', path: archivePath(container), query: [['path', path]], what, subject: container, work: true, signal });
      return { stat: parsePathStat(answer.header(statHeader), path), archive: answer.body };
    },
    async downloadTree(container, path, directory, writeOptions = {}) {
      const { signal } = writeOptions;
      const { archive } = await containers.downloadArchive(container, path, signal === undefined ? {} : { signal });
      return writeTree(entries(archive), directory, writeOptions);
    },
    async statPath(container, path, { signal } = {}) {
      const call = { what: `look into ${container}`, subject: container, signal };
      const answer = await client.request({ ...call, method: 'HEAD', path: archivePath(container), query: [['path', path]], expect: [404] });
      await answer.discard();
      if (answer.status !== 404) return parsePathStat(answer.header(statHeader), path);
      // The answer to a HEAD has no body to tell which of the two is not there.
      const inspected = await client.request({ ...call, method: 'GET', path: `/containers/${containerName(container)}/json` });
      await inspected.discard();
      return undefined;
    },
    close: () => client.close(),
  };
  return containers;
}

/** The error that a refused upload is, for whoever does not branch on it. */
export function uploadFailure({ status, message }: RefusedUpload, container: string): OciTarError {
  return answerFailure(`copy into ${container}`, status, message, container);
}

const statHeader = 'x-docker-container-path-stat';

function archivePath(container: string): string {
  return `/containers/${containerName(container)}/archive`;
}

/** docker's grammar of names, which an ID fits too. */
function containerName(container: string): string {
  if (/^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(container)) return container.replace(/^\//, '');
  throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(container)} is no name or ID of a container`, { subject: container });
}

function outcomeOf(status: number, message: string): RefusedUpload['outcome'] {
  const known = outcomes[status];
  if (known !== undefined) return known;
  if (status === 404) return /no such container/i.test(message) ? 'no-such-container' : 'no-such-path';
  // docker 20.10 answers 500 to what its API has 403 and 400 for.
  if (/\bread-only\b/i.test(message)) return 'permission-denied';
  return /extraction point is not a directory/i.test(message) ? 'bad-parameter' : 'server-error';
}

async function* piecesOf(archive: UploadedArchive): AsyncGenerator<{ readonly bytes: Uint8Array }, void, void> {
  for await (const piece of archive) yield piece instanceof Uint8Array ? { bytes: piece } : piece;
}
