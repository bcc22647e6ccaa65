import { describe, expect, it } from 'vitest';
import { parseLocation } from '@oci-tar/core';

describe('a location', () => {
  it.each([
    ['hello', { scheme: 'store', reference: 'hello' }],
    ['hello:1', { scheme: 'store', reference: 'hello:1' }],
    ['localhost:5000/app:1', { scheme: 'store', reference: 'localhost:5000/app:1' }],
    ['docker:dind', { scheme: 'store', reference: 'docker:dind' }],
    ['store:', { scheme: 'store' }],
    ['store:hello:1', { scheme: 'store', reference: 'hello:1' }],
    ['oci:dir', { scheme: 'oci', path: 'dir' }],
    ['oci:/a/b:v1', { scheme: 'oci', path: '/a/b', reference: 'v1' }],
    ['oci:dir:docker.io/library/hello:1', { scheme: 'oci', path: 'dir', reference: 'docker.io/library/hello:1' }],
    ['oci-archive:out.tar', { scheme: 'oci-archive', path: 'out.tar' }],
    ['oci-archive:out.tar:', { scheme: 'oci-archive', path: 'out.tar' }],
    ['docker://example.org/app', { scheme: 'docker', path: 'example.org/app', reference: 'example.org/app:latest' }],
    ['docker-daemon:', { scheme: 'docker-daemon' }],
    ['docker-daemon:hello:1', { scheme: 'docker-daemon', reference: 'hello:1' }],
    ['dir:a/b', { scheme: 'dir', path: 'a/b' }],
    ['dir:a:b', { scheme: 'dir', path: 'a:b' }],
    [String.raw`oci-archive:C:\out.tar:v1`, { scheme: 'oci-archive', path: String.raw`C:\out.tar`, reference: 'v1' }],
  ])('%s is understood', (text, expected) => {
    expect(parseLocation(text)).toEqual(expected);
  });

  it.each(['ocidir:x', 'dir:', 'oci:', 'oci-archive::v1'])('%s is refused, with a hint', (text) => {
    expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', hint: expect.any(String) as string }) as Error);
  });

  it.each(['docker://127.0.0.1:5000', 'docker://localhost:5000', 'docker://localhost/', 'docker://[::1]:5000'])('takes %s for a registry without a repository, not for a name on Docker Hub', (text) => {
    expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('names no repository') as string }) as Error);
  });
});
