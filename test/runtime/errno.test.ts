import { readFile } from 'node:fs/promises';
import { isOciTarError } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { errnoOf, mapErrno } from '../../packages/core/src/runtime/node/errno.ts';

const systemError = (code: string) => Object.assign(new Error(`${code}: from the system`), { code });

describe('mapErrno', () => {
  it.each([
    ['ENOENT', 'NOT_FOUND'],
    ['ENOSPC', 'NO_SPACE'],
    ['EDQUOT', 'NO_SPACE'],
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'FORBIDDEN'],
    ['EPERM', 'FORBIDDEN'],
    ['ELOOP', 'UNSAFE_PATH'],
    ['EMFILE', 'LIMIT_EXCEEDED'],
  ])('makes %s a %s that names the path and keeps the cause', (errno, code) => {
    const cause = systemError(errno);
    const mapped = mapErrno(cause, '/some/where');
    expect(mapped).toMatchObject({ code, cause, message: expect.stringContaining('/some/where'), details: { subject: '/some/where' } });
    expect(isOciTarError(mapped)).toBe(true);
  });

  it('gives back what it has no better word for', () => {
    for (const other of [systemError('EIO'), new Error('no code'), 'a string', undefined]) expect(mapErrno(other, 'x')).toBe(other);
  });

  it('does not map twice', () => {
    const mapped = mapErrno(systemError('ENOENT'), 'inner');
    expect(mapErrno(mapped, 'outer')).toBe(mapped);
  });

  it('understands what the system really throws', async () => {
    const error: unknown = await readFile('/nowhere/at/all').catch((reason: unknown) => reason);
    expect(errnoOf(error)).toBe('ENOENT');
    expect(mapErrno(error, 'x')).toMatchObject({ code: 'NOT_FOUND' });
  });
});
