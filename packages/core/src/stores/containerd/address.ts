import { connect } from 'node:net';
import { resolve } from 'node:path';
import { OciTarError } from '../../errors.ts';
import { errnoOf } from '../../runtime/node/errno.ts';
import { socketOwnerHint } from '../socket-owner.ts';
import { isNamespaceName } from './location.ts';

const standardAddress = '/run/containerd/containerd.sock';
const standardNamespace = 'default';

type Environment = Readonly<Record<string, string | undefined>>;

/** The path of containerd's socket: as given, else CONTAINERD_ADDRESS, else where it is by default. UNSUPPORTED for what is no unix socket. */
export function socketPath(given: string | undefined, env: Environment): string {
  const address = [given, env['CONTAINERD_ADDRESS']].find((text) => text !== undefined && text !== '') ?? standardAddress;
  const path = address.replace(/^unix:(?:\/\/)?(?=.)/, '');
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(path) && !path.startsWith('\\\\.\\pipe\\')) return resolve(path);
  throw new OciTarError('UNSUPPORTED', `containerd at ${address} is not spoken to: only unix sockets are`, { subject: address, hint: 'Set CONTAINERD_ADDRESS to the path of its socket.' });
}

/** The namespace: as given, else CONTAINERD_NAMESPACE, else `default`. INVALID_ARGUMENT for what can be none. */
export function namespaceName(given: string | undefined, env: Environment): string {
  const name = [given, env['CONTAINERD_NAMESPACE']].find((text) => text !== undefined && text !== '') ?? standardNamespace;
  if (isNamespaceName(name)) return name;
  throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(name)} cannot be a namespace of containerd`, {
    subject: name,
    hint: 'It has letters and digits, with single dots, dashes or underscores in between, and at most 76 of all.',
  });
}

/** Returns when something accepts a connection at the socket. ENGINE where there is none, FORBIDDEN with whom it belongs to. */
export async function probe(path: string): Promise<void> {
  const failure = await new Promise<unknown>((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(undefined);
    });
    socket.once('error', done);
  });
  if (failure !== undefined) throw await connectFailure(failure, path);
}

/** What a failed connection means, with what to do about it. */
export async function connectFailure(cause: unknown, path: string): Promise<OciTarError> {
  const errno = errnoOf(cause);
  if (errno === 'EACCES' || errno === 'EPERM') return new OciTarError('FORBIDDEN', `${path} may not be used by this user`, { subject: path, cause, hint: await socketOwnerHint(path) });
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new OciTarError('ENGINE', `containerd does not run: there is no socket ${path}`, { subject: path, cause, hint: 'Start containerd, or set CONTAINERD_ADDRESS to the path of its socket.' });
  }
  if (errno === 'ECONNREFUSED' || errno === 'ENOTSOCK') {
    return new OciTarError('ENGINE', `containerd does not run: nothing answers at ${path}`, { subject: path, cause, hint: 'Start containerd, or set CONTAINERD_ADDRESS to the path of its socket.' });
  }
  return new OciTarError('ENGINE', `${path} cannot be connected to: ${cause instanceof Error ? cause.message : String(cause)}`, { subject: path, cause });
}
