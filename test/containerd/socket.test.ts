import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerdStore } from '@oci-tar/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectFailure, namespaceName, socketPath } from '../../packages/core/src/stores/containerd/address.ts';
import { protosFile, protosText } from '../../scripts/protos.mjs';
import { fakeContainerd } from './fake.ts';
import { failureOf } from './support.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'oci-tar-socket-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('the socket of containerd', () => {
  it('is where it was said to be, else where CONTAINERD_ADDRESS says, else where it is by default', () => {
    expect(socketPath(undefined, {})).toBe('/run/containerd/containerd.sock');
    expect(socketPath(undefined, { CONTAINERD_ADDRESS: '' })).toBe('/run/containerd/containerd.sock');
    expect(socketPath(undefined, { CONTAINERD_ADDRESS: '/run/k3s/containerd/containerd.sock' })).toBe('/run/k3s/containerd/containerd.sock');
    expect(socketPath('unix:///run/a.sock', { CONTAINERD_ADDRESS: '/b' })).toBe('/run/a.sock');
    expect(() => socketPath('tcp://127.0.0.1:1', {})).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });

  it('that is not there, and a file that is none, are ENGINE with what to do', async () => {
    const path = join(folder(), 'socket');
    expect(await failureOf(containerdStore({ address: path }))).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('there is no socket'), hint: expect.stringContaining('CONTAINERD_ADDRESS') });
    writeFileSync(path, '');
    expect(await failureOf(containerdStore({ address: path }))).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('nothing answers') });
  });

  it('that this user may not use is FORBIDDEN, with who may', async () => {
    const path = join(folder(), 'socket');
    const server = createServer().listen(path);
    await new Promise((done) => server.once('listening', done));
    onTestFinished(() => void server.close());
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });
    expect(await connectFailure(denied, path)).toMatchObject({ code: 'FORBIDDEN', hint: expect.stringContaining('root') });
    expect(await connectFailure(denied, join(path, 'out of reach'))).toMatchObject({ code: 'FORBIDDEN', hint: expect.stringContaining('root') });
  });

  it('that a group may use is FORBIDDEN to others, with the name of the group', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'only root can give files away');
    const path = join(folder(), 'socket');
    writeFileSync(path, '');
    chmodSync(path, 0o660);
    const line = readFileSync('/etc/group', 'utf8').split('\n').map((text) => text.split(':')).find(([, , gid]) => Number(gid) > 0);
    chownSync(path, 0, Number(line?.[2]));
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });
    expect(await connectFailure(denied, path)).toMatchObject({ code: 'FORBIDDEN', hint: expect.stringContaining(`group ${line?.[0]}`) });
  });

  it('is closed for a signal that is aborted already', async () => {
    await expect(containerdStore({ address: '/nowhere', signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

describe('a namespace of containerd', () => {
  it('is the one that was said, else CONTAINERD_NAMESPACE, else default', async () => {
    expect(namespaceName(undefined, {})).toBe('default');
    expect(namespaceName(undefined, { CONTAINERD_NAMESPACE: 'k8s.io' })).toBe('k8s.io');
    expect(namespaceName('mine', { CONTAINERD_NAMESPACE: 'k8s.io' })).toBe('mine');
    const { store } = await fakeContainerd({ env: { CONTAINERD_NAMESPACE: 'from-env' } });
    expect([store.namespace, store.name, await store.version()]).toEqual(['from-env', 'containerd:from-env/', '9.9.9']);
  });

  it.each(['-', 'a..b', 'a b', 'a/b', 'ü', 'x'.repeat(77)])('is never called %j', (name) => {
    expect(() => namespaceName(name, {})).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('the declarations of the services', () => {
  it('are those of the .proto files; scripts/protos.mjs writes them anew', () => {
    expect(readFileSync(protosFile, 'utf8')).toBe(protosText());
  });
});
