import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialPaths, credentialStore } from '../../packages/core/src/stores/registry/credentials.ts';

const auth = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret });

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'oci-tar-credentials-'));
  env = { HOME: home, PATH: `${join(home, 'bin')}:${process.env['PATH'] ?? ''}` };
});

afterEach(() => rm(home, { recursive: true, force: true }));

async function write(path: string, value: unknown): Promise<void> {
  await mkdir(join(home, path, '..'), { recursive: true });
  await writeFile(join(home, path), typeof value === 'string' ? value : JSON.stringify(value));
}

async function read(path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(home, path), 'utf8')) as unknown;
}

/** A helper that keeps secrets in files beside it and writes down how it was called. */
async function helper(name: string): Promise<void> {
  const path = join(home, 'bin', `docker-credential-${name}`);
  await mkdir(join(home, 'bin'), { recursive: true });
  const store = join(home, `${name}.json`);
  await writeFile(
    path,
    `#!/bin/sh
echo "$0 $*" >> '${home}/calls'
input=$(cat)
case "$1" in
  get) if [ -s '${store}' ] && grep -q "\\"$input\\"" '${store}'; then cat '${store}'; else echo 'credentials not found in native keychain'; exit 1; fi ;;
  store) printf %s "$input" > '${store}' ;;
  erase) rm -f '${store}' ;;
esac
`,
  );
  await chmod(path, 0o755);
}

describe('credentials for a registry', () => {
  it("are read from docker's file, then from podman's", async () => {
    await write('.docker/config.json', { auths: { 'a.example': auth('docker', 'one') } });
    await write('.config/containers/auth.json', { auths: { 'a.example': auth('podman', 'two'), 'b.example:5000': auth('podman', 'three:four') } });
    const store = credentialStore({ env });
    expect(await store.find('a.example')).toEqual(password('docker', 'one'));
    expect(await store.find('b.example:5000')).toEqual(password('podman', 'three:four'));
    expect(await store.find('c.example')).toBeUndefined();
  });

  it('are those of DOCKER_CONFIG and XDG_RUNTIME_DIR where these are set, and of REGISTRY_AUTH_FILE alone where that is', async () => {
    await write('.docker/config.json', { auths: { 'a.example': auth('home', '1') } });
    await write('elsewhere/config.json', { auths: { 'a.example': auth('elsewhere', '1') } });
    await write('run/containers/auth.json', { auths: { 'b.example': auth('run', '1') } });
    await write('alone.json', { auths: { 'c.example': auth('alone', '1') } });
    const moved = { ...env, DOCKER_CONFIG: join(home, 'elsewhere'), XDG_RUNTIME_DIR: join(home, 'run') };
    expect(await credentialStore({ env: moved }).find('a.example')).toEqual(password('elsewhere', '1'));
    expect(await credentialStore({ env: moved }).find('b.example')).toEqual(password('run', '1'));
    const alone = credentialStore({ env: { ...moved, REGISTRY_AUTH_FILE: join(home, 'alone.json') } });
    expect(await alone.find('c.example')).toEqual(password('alone', '1'));
    expect(await alone.find('a.example')).toBeUndefined();
  });

  it("are read where podman keeps root's, and those of whoever has no session", ({ skip }) => {
    skip(process.getuid === undefined, 'there are no user IDs here');
    expect(credentialPaths(env)[1]).toBe(`/run/containers/${process.getuid?.()}/auth.json`);
    expect(credentialPaths({ ...env, XDG_RUNTIME_DIR: '/run/user/7' })[1]).toBe('/run/user/7/containers/auth.json');
  });

  it('are found under the names that old versions of docker wrote', async () => {
    await write('.docker/config.json', { auths: { 'https://a.example/v2/': auth('old', '1'), 'https://index.docker.io/v1/': auth('hub', '2') } });
    const store = credentialStore({ env });
    expect(await store.find('a.example')).toEqual(password('old', '1'));
    for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io']) expect(await store.find(name)).toEqual(password('hub', '2'));
  });

  it('of a part of the registry come before those of the whole', async () => {
    await write('.config/containers/auth.json', { auths: { 'a.example': auth('all', '1'), 'a.example/team': auth('team', '2'), 'a.example/team/app': auth('app', '3') } });
    const store = credentialStore({ env });
    expect(await store.find('a.example', 'team/app')).toEqual(password('app', '3'));
    expect(await store.find('a.example', 'team/other')).toEqual(password('team', '2'));
    expect(await store.find('a.example', 'teams')).toEqual(password('all', '1'));
  });

  it('may be tokens', async () => {
    await write('.docker/config.json', { auths: { 'a.example': { ...auth('<token>', ''), identitytoken: 'refresh' }, 'b.example': { registrytoken: 'access' } } });
    const store = credentialStore({ env });
    expect(await store.find('a.example')).toEqual({ kind: 'identity-token', token: 'refresh' });
    expect(await store.find('b.example')).toEqual({ kind: 'bearer-token', token: 'access' });
  });

  it.each([
    ['is no JSON', '{', 'INVALID_JSON'],
    ['is no object', '[]', 'INVALID_MANIFEST'],
    ['has auths that are no object', { auths: [] }, 'INVALID_MANIFEST'],
    ['has an entry that is not user:password', { auths: { 'a.example': { auth: Buffer.from('nobody').toString('base64') } } }, 'UNAUTHORIZED'],
  ])('from a file that %s are an error, not nobody', async (_, content, code) => {
    await write('.docker/config.json', content);
    await expect(credentialStore({ env }).find('a.example')).rejects.toMatchObject({ code });
  });
});

describe('credentials that are saved', () => {
  it('are in a file that only its owner reads, and everything else in it stays', async () => {
    await write('.docker/config.json', { psFormat: 'table', auths: { 'b.example': auth('b', '1') } });
    const store = credentialStore({ env });
    const path = await store.save('a.example', { kind: 'password', username: 'me', password: 'secret' });
    expect(path).toBe(join(home, '.docker/config.json'));
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(home, '.docker'))).toEqual(['config.json']);
    expect(await read('.docker/config.json')).toEqual({ psFormat: 'table', auths: { 'b.example': auth('b', '1'), 'a.example': auth('me', 'secret') } });
    expect(await store.find('a.example')).toEqual(password('me', 'secret'));
    expect(await store.remove('a.example')).toEqual([path]);
    expect(await store.find('a.example')).toBeUndefined();
    expect(await store.find('b.example')).toEqual(password('b', '1'));
    expect(await store.remove('a.example')).toEqual([]);
  });

  it('go where a link leads', async () => {
    await write('real.json', {});
    await mkdir(join(home, '.docker'));
    await symlink('../real.json', join(home, '.docker/config.json'));
    await credentialStore({ env }).save('a.example', { kind: 'identity-token', token: 'refresh' });
    expect((await lstat(join(home, '.docker/config.json'))).isSymbolicLink()).toBe(true);
    expect(await credentialStore({ env }).find('a.example')).toEqual({ kind: 'identity-token', token: 'refresh' });
  });
});

describe('a credential helper', () => {
  it('is asked, given and told to forget, with the secret on its standard input alone', async () => {
    await helper('test');
    await write('.docker/config.json', { credsStore: 'test' });
    const store = credentialStore({ env });
    expect(await store.find('a.example')).toBeUndefined();
    expect(await store.save('a.example', { kind: 'password', username: 'me', password: 'sesame' })).toBe('docker-credential-test');
    expect(await store.find('a.example')).toEqual(password('me', 'sesame'));
    expect(await store.remove('a.example')).toEqual(['docker-credential-test']);
    expect(await store.find('a.example')).toBeUndefined();
    expect(await read('.docker/config.json')).toEqual({ credsStore: 'test' });
    expect(await readFile(join(home, 'calls'), 'utf8')).not.toContain('sesame');
  });

  it('of one registry comes before the one of all', async () => {
    await helper('one');
    await helper('all');
    await write('.docker/config.json', { credsStore: 'all', credHelpers: { 'a.example': 'one' } });
    await write('one.json', { ServerURL: 'a.example', Username: '<token>', Secret: 'refresh' });
    await write('all.json', { ServerURL: 'b.example', Username: 'me', Secret: 'sesame' });
    const store = credentialStore({ env });
    expect(await store.find('a.example')).toEqual({ kind: 'identity-token', token: 'refresh' });
    expect(await store.find('b.example')).toEqual(password('me', 'sesame'));
  });

  it.each(['../../bin/sh', 'a b', '-x', ''])('cannot be called %j', async (name) => {
    await write('.docker/config.json', { credHelpers: { 'a.example': name } });
    const found = credentialStore({ env }).find('a.example');
    if (name === '') expect(await found).toBeUndefined();
    else await expect(found).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('that is missing or fails is an error that does not repeat what it said', async () => {
    await write('.docker/config.json', { credsStore: 'missing' });
    await expect(credentialStore({ env }).find('a.example')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await mkdir(join(home, 'bin'));
    await writeFile(join(home, 'bin/docker-credential-missing'), '#!/bin/sh\necho sesame; exit 3\n');
    await chmod(join(home, 'bin/docker-credential-missing'), 0o755);
    const error: unknown = await credentialStore({ env }).find('a.example').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(String(error)).not.toContain('sesame');
  });
});
