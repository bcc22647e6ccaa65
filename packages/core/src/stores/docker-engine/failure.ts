import { OciTarError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { connectionCode, refusals, timeoutCodes } from '../connection-codes.ts';
import { socketOwnerHint } from '../socket-owner.ts';
import type { EngineAddress } from './address.ts';

/** What an engine says went wrong may be so long, in bytes. */
export const failureLimit = 64 * 1024;

const codes: Readonly<Record<number, ErrorCode>> = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 404: 'NOT_FOUND', 409: 'CONFLICT', 504: 'TIMEOUT' };

/** The error of an answer that is a failure, with what the engine says of it; its status is in `actual`. */
export function answerFailure(what: string, status: number, said: string, subject: string): OciTarError {
  const message = `the docker engine could not ${what}: ${said === '' ? `it answered ${status}` : said}`;
  return new OciTarError(codes[status] ?? 'ENGINE', message, { subject, actual: status });
}

/** What the body of a failure says: the `message` of its JSON, or its first line. */
export function messageIn(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed && typeof parsed.message === 'string') return parsed.message.trim().slice(0, 1000);
  } catch {
    // An engine behind a proxy may answer anything.
  }
  return (body.split('\n', 1)[0] ?? '').trim().slice(0, 200);
}

/** The error of a request that got no whole answer. Ours and aborts pass unchanged. */
export async function connectionFailure(error: unknown, { name, socketPath }: EngineAddress, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal?.aborted === true) return signal.reason;
  if (!(error instanceof Error) || error instanceof OciTarError) return error;
  const code = connectionCode(error);
  const details = { subject: name, cause: error };
  if (timeoutCodes.includes(code)) return new OciTarError('TIMEOUT', `the docker engine at ${name} did not answer in time`, details);
  const hint = 'Start it, or say where it is with DOCKER_HOST or a docker context.';
  if (socketPath !== undefined) {
    const ofSocket = { ...details, subject: socketPath };
    if (code === 'EACCES' || code === 'EPERM') return new OciTarError('FORBIDDEN', `${socketPath} may not be used by this user`, { ...ofSocket, hint: await socketOwnerHint(socketPath) });
    if (code === 'ENOENT' || code === 'ENOTDIR') return new OciTarError('ENGINE', `no docker engine runs: there is no socket ${socketPath}`, { ...ofSocket, hint });
    if (code === 'ECONNREFUSED' || code === 'ENOTSOCK') return new OciTarError('ENGINE', `no docker engine runs: nothing answers at ${socketPath}`, { ...ofSocket, hint });
  }
  const refusal = refusals[code];
  if (refusal === 'the connection was cut') return new OciTarError('ENGINE', `the docker engine at ${name} went away in the middle`, details);
  if (refusal !== undefined) return new OciTarError('ENGINE', `the docker engine at ${name} cannot be reached: ${refusal}`, { ...details, hint });
  return new OciTarError('ENGINE', `the docker engine at ${name} gave no proper answer: ${error.message.split('\n', 1)[0] ?? code}`, details);
}
