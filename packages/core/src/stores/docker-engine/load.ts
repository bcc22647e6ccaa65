import { transformedSink } from '../../bytes/channel.ts';
import type { ByteSink, ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import type { EngineClient } from './client.ts';
import type { DockerEngineOptions, LoadProgress } from './options.ts';

/** One line of the engine's progress may be so long, in bytes. */
const lineLimit = 1024 * 1024;

/**
 * A sink whose bytes are the body of `POST /images/load`, at the engine's pace; committed when the engine has loaded all of it. ENGINE for what it
 * says went wrong, also inside an answer of 200.
 */
export function loadSink(client: EngineClient, { onLoad }: Pick<DockerEngineOptions, 'onLoad'>, signal: AbortSignal | undefined): ByteSink {
  const nothing: ByteSink = { write: async () => {}, commit: async () => {}, abort: async () => {} };
  return transformedSink(nothing, (archive) => loaded(client, archive, onLoad, signal));
}

/** Hands nothing on: as a stream, so that a sink can be made of it. */
async function* loaded(client: EngineClient, archive: ByteStream, onLoad: DockerEngineOptions['onLoad'], signal: AbortSignal | undefined): ByteStream {
  const answer = await client.request({
    method: 'POST',
    path: '/images/load',
    query: [['quiet', onLoad === undefined ? '1' : '0']],
    body: { type: 'application/x-tar', bytes: archive },
    what: 'load the images',
    work: true,
    signal,
  });
  for await (const line of lines(answer.body)) {
    const message = messageOf(line);
    if (message?.error !== undefined) {
      throw new OciTarError('ENGINE', `the docker engine could not load the images: ${message.error}`, { side: 'target', subject: client.address.name });
    }
    if (message?.progress !== undefined) onLoad?.(message.progress);
  }
  yield* [];
}

async function* lines(bytes: ByteStream): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of bytes) {
    held += decoder.decode(chunk, { stream: true });
    const found = held.split('\n');
    held = found.pop() ?? '';
    if (held.length > lineLimit) throw new OciTarError('LIMIT_EXCEEDED', `a line of the engine's progress is longer than the limit of ${lineLimit}`, { limit: lineLimit });
    yield* found;
  }
  yield held + decoder.decode();
}

/** What a line says; undefined where it says nothing that is understood. */
function messageOf(line: string): { readonly error?: string; readonly progress?: LoadProgress } | undefined {
  if (line.trim() === '') return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const detail = member(parsed, 'errorDetail');
  const error = textOf(member(detail, 'message')) ?? textOf(member(parsed, 'error'));
  if (error !== undefined || detail !== undefined) return { error: (error ?? 'it does not say why').trim().slice(0, 1000) };
  const status = (textOf(member(parsed, 'status')) ?? textOf(member(parsed, 'stream')))?.trim();
  if (status === undefined) return undefined;
  const progress = member(parsed, 'progressDetail');
  const [id, current, total] = [textOf(member(parsed, 'id')), member(progress, 'current'), member(progress, 'total')];
  return { progress: { status, ...(id === undefined ? {} : { id }), ...(typeof current === 'number' ? { current } : {}), ...(typeof total === 'number' ? { total } : {}) } };
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (Reflect.get(value, key) as unknown) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
