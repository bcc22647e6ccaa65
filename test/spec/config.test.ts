import { describe, expect, it } from 'vitest';
import { parseConfig, platformOf } from '../../packages/core/src/spec/config.ts';
import { digestA, digestB, failure, json } from './support.ts';

const minimal = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestA] } };

describe('parseConfig', () => {
  it('takes all fields of the image-spec', () => {
    const full = {
      ...minimal,
      created: '2026-01-01T00:00:00Z',
      author: 'A',
      variant: 'v2',
      'os.version': '1',
      'os.features': ['x'],
      config: {
        User: 'a:b',
        ExposedPorts: { '80/tcp': {} },
        Env: ['A=b'],
        Entrypoint: ['/a'],
        Cmd: [],
        Volumes: { '/data': {} },
        WorkingDir: '/',
        Labels: { a: '' },
        StopSignal: 'SIGTERM',
      },
      rootfs: { type: 'layers', diff_ids: [digestA, digestB] },
      history: [{ created: '2026-01-01T00:00:00Z', created_by: 'x', author: 'a', comment: 'c', empty_layer: true }, {}],
    };
    expect(parseConfig(json(full))).toEqual(full);
  });

  it('lets unknown fields survive, at each level', () => {
    const value = {
      ...minimal,
      docker_version: '1',
      container_config: null,
      config: { OnBuild: null, Healthcheck: { Test: ['NONE'] } },
      rootfs: { ...minimal.rootfs, extra: 1 },
      history: [{ extra: true }],
    };
    expect(parseConfig(json(value))).toEqual(value);
  });

  it('leaves out optional fields that are null', () => {
    const value = {
      ...minimal,
      created: null,
      config: { Env: null, Cmd: null, Labels: null, Volumes: null, ExposedPorts: null, User: null },
      history: null,
      variant: null,
    };
    expect(parseConfig(json(value))).toStrictEqual({ ...minimal, config: {} });
    expect(parseConfig(json({ ...minimal, config: null }))).toStrictEqual(minimal);
  });

  it('takes an image without layers as docker writes it', () => {
    expect(parseConfig(json({ ...minimal, rootfs: { type: 'layers' } })).rootfs.diff_ids).toEqual([]);
    expect(parseConfig(json({ ...minimal, rootfs: { type: 'layers', diff_ids: null } })).rootfs.diff_ids).toEqual([]);
  });

  it.each([
    ['no architecture', { ...minimal, architecture: undefined }, 'architecture is missing'],
    ['no os', { ...minimal, os: undefined }, 'os is missing'],
    ['null for the os', { ...minimal, os: null }, 'os must be a string'],
    ['no rootfs', { ...minimal, rootfs: undefined }, 'rootfs is missing'],
    ['no type of rootfs', { ...minimal, rootfs: { diff_ids: [] } }, 'rootfs.type is missing'],
    ['another type of rootfs', { ...minimal, rootfs: { type: 'layers+base', diff_ids: [] } }, 'rootfs.type must be "layers"'],
    ['a diffID that is no digest', { ...minimal, rootfs: { type: 'layers', diff_ids: [digestA, 'x'] } }, 'rootfs.diff_ids[1] is not a digest'],
    ['an environment that is no list', { ...minimal, config: { Env: { A: 'b' } } }, 'config.Env must be an array'],
    ['ports in a list', { ...minimal, config: { ExposedPorts: ['80'] } }, 'config.ExposedPorts must be an object'],
    ['a label that is no text', { ...minimal, config: { Labels: { a: 1 } } }, 'config.Labels must be'],
    ['history that is no list', { ...minimal, history: {} }, 'history must be an array'],
    ['history of texts', { ...minimal, history: ['x'] }, 'history[0] must be an object'],
    ['an empty_layer that is a text', { ...minimal, history: [{ empty_layer: 'true' }] }, 'history[0].empty_layer must be'],
    ['a list', [], 'not a JSON object'],
  ])('refuses %s', (_, value, message) => {
    const error = failure(() => parseConfig(json(value), { subject: 'config.json' }));
    expect(error.code).toBe('INVALID_MANIFEST');
    expect(error.message).toContain(message);
    expect(error.details.subject).toBe('config.json');
  });

  it('holds to the limits', () => {
    expect(failure(() => parseConfig(json(minimal), { limits: { bytes: 20, depth: 16 } })).code).toBe('LIMIT_EXCEEDED');
    expect(failure(() => parseConfig(json(minimal), { limits: { bytes: 1000, depth: 2 } })).code).toBe('LIMIT_EXCEEDED');
  });
});

describe('platformOf', () => {
  it('is what the config states, without empty fields', () => {
    const platform = { architecture: 'arm', os: 'linux', variant: 'v7', 'os.version': '1', 'os.features': ['a'] };
    expect(platformOf(parseConfig(json({ ...minimal, ...platform })))).toStrictEqual(platform);
    expect(platformOf(parseConfig(json({ ...minimal, variant: '', 'os.version': '', 'os.features': [] })))).toStrictEqual({
      architecture: 'amd64',
      os: 'linux',
    });
  });
});
