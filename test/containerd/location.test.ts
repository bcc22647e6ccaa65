import { parseLocation } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';

describe('a place in containerd', () => {
  it.each([
    ['containerd:', undefined, undefined],
    ['containerd:/', undefined, undefined],
    ['containerd:k8s.io/', 'k8s.io', undefined],
    ['containerd:mine/', 'mine', undefined],
    ['containerd:hello:1', undefined, 'hello:1'],
    ['containerd:me/hello:1', undefined, 'me/hello:1'],
    ['containerd:docker.io/library/hello:1', undefined, 'docker.io/library/hello:1'],
    ['containerd:example.org/team/hello:1', undefined, 'example.org/team/hello:1'],
    ['containerd:localhost:5000/my.team/hello:1', undefined, 'localhost:5000/my.team/hello:1'],
    ['containerd:k8s.io/hello:1', 'k8s.io', 'hello:1'],
    ['containerd:default/hello:1', 'default', 'hello:1'],
    ['containerd:k8s.io/registry.k8s.io/pause:3.9', 'k8s.io', 'registry.k8s.io/pause:3.9'],
    ['containerd:mine/docker.io/library/hello:1', 'mine', 'docker.io/library/hello:1'],
    ['containerd:mine/localhost/hello:1', 'mine', 'localhost/hello:1'],
    ['containerd:mine/localhost:5000/hello:1', 'mine', 'localhost:5000/hello:1'],
    ['containerd:my.team/ghcr.io/app@sha256:00', 'my.team', 'ghcr.io/app@sha256:00'],
    ['containerd:/ghcr.io/some.user/app:1', undefined, 'ghcr.io/some.user/app:1'],
    ['containerd:not-a_-namespace/docker.io/hello:1', undefined, 'not-a_-namespace/docker.io/hello:1'],
  ])('%s is namespace %s and image %s', (text, path, reference) => {
    expect(parseLocation(text)).toEqual({ scheme: 'containerd', ...(path === undefined ? {} : { path }), ...(reference === undefined ? {} : { reference }) });
  });
});
