import { execFileSync } from 'node:child_process';
import { readPasswords } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { parseCrypt, shaCrypt } from '../../packages/core/src/serve/crypt.ts';
import { has } from '../interop/peers/tool.ts';
import { reading, writing } from './support.ts';

/** As openssl keeps it. */
const line = 'anna:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5';
const password = 'Hello world!';
const basic = (user: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });

describe('SHA-crypt', () => {
  it.for(Array.from({ length: 12 }, (_, at) => at * 11 + 1))('agrees with openssl for a password of %i characters', (length, { skip }) => {
    skip(!has('openssl'), 'openssl is not installed');
    const text = 'pässwörd €'.repeat(20).slice(0, length);
    for (const method of [5, 6]) {
      const salt = length % 2 === 0 ? `salt${length}` : `rounds=${1000 + length}$salt`;
      const kept = execFileSync('openssl', ['passwd', `-${method}`, '-salt', salt, '-stdin'], { input: `${text}\n`, encoding: 'utf8' }).trim();
      const form = parseCrypt(kept);
      if (form === undefined) return expect.unreachable(kept);
      expect(shaCrypt(text, form)).toBe(form.encoded);
    }
  });

  it('is the same on every machine', () => {
    expect(shaCrypt(password, { method: 5, rounds: 5000, salt: 'saltstring' })).toBe('5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5');
    expect(shaCrypt(password, { method: 6, rounds: 5000, salt: 'saltstring' })).toBe('svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1');
  });

  it.each(['', '$1$salt$abc', '$2y$05$abcdefghijklmnopqrstuu', '$6$salt$short', '$6$$', 'plain', '$6$rounds=x$salt$abc'])('does not take %j for one', (text) => {
    expect(parseCrypt(text)).toBeUndefined();
  });
});

describe('a password file', () => {
  it('lets in who knows the password, and nobody else', async () => {
    const auth = await readPasswords(`# people\n\n${line}\n`);
    expect(await auth.check('anna', password)).toBe(true);
    for (const [user, wrong] of [['anna', 'wrong'], ['anna', ''], ['anna', `${password} `], ['bob', password], ['', '']] as const) expect(await auth.check(user, wrong), user).toBe(false);
    expect(await auth.check('anna', 'x'.repeat(10_000))).toBe(false);
  });

  it.each([
    ['anna', 'line 1'],
    [':$6$x', 'line 1'],
    [`${line}\nbob:secret`, 'line 2'],
    [`${line}\nbob:$2y$05$abcdefghijklmnopqrstuu`, 'bcrypt'],
    ['bob:', 'line 1'],
    ['# nobody', 'no users'],
    ['bob:$6$rounds=999999999$salt$'.padEnd(120, 'x'), 'line 1'],
  ])('is refused where it makes no sense, without what stands in it: %j', async (text, says) => {
    const failure = await readPasswords(text, 'users').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(says) as string });
    expect(String(failure)).not.toContain('secret');
  });

  it('is checked for one request after the other, and not for all the world at once', async () => {
    const auth = await readPasswords(line);
    const results = await Promise.allSettled(Array.from({ length: 100 }, (_, at) => auth.check('anna', `wrong ${at}`)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(50);
    expect(refused[0]?.reason).toMatchObject({ status: 429 });
  });
});

describe('a registry with a password file', () => {
  it.each([
    ['nothing', {}],
    ['a wrong password', basic('anna', 'wrong')],
    ['another user', basic('bob', password)],
    ['a token', { authorization: 'Bearer abc' }],
    ['no base64', { authorization: 'Basic %%%' }],
    ['no colon', { authorization: `Basic ${Buffer.from('anna').toString('base64')}` }],
    ['far too much', { authorization: `Basic ${'A'.repeat(20_000)}` }],
  ])('asks for name and password of who brings %s', async (_, headers) => {
    const client = await reading(['docker.io/library/hello:1'], { auth: await readPasswords(line), metrics: true });
    for (const path of ['/v2/', '/v2/hello/manifests/1', '/v2/_catalog', '/metrics', '/v2/nothing/tags/list']) {
      const answer = await client.get(path, headers);
      expect([answer.status, answer.codes], path).toEqual([401, ['UNAUTHORIZED']]);
      expect(answer.headers['www-authenticate']).toMatch(/^Basic realm=/);
    }
  });

  it('lets in who has them, and says who it was', async () => {
    const client = await reading(['docker.io/library/hello:1'], { auth: await readPasswords(line) });
    expect((await client.get('/v2/hello/manifests/1', basic('anna', password))).status).toBe(200);
    expect(await client.handler.handle({ method: 'GET', target: '/v2/', headers: basic('anna', password) })).toMatchObject({ user: 'anna' });
  });

  it('takes nothing from a web page, whoever is signed in', async () => {
    const client = await writing();
    const answer = await client.ask('POST', '/v2/hello/blobs/uploads/', { headers: { origin: 'https://example.org' } });
    expect([answer.status, answer.codes]).toEqual([403, ['DENIED']]);
  });
});
