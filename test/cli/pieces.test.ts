import { describe, expect, it } from 'vitest';
import { OciTarError } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { failureOf } from '../../packages/cli/src/failure.ts';
import { isPathLike } from '../../packages/cli/src/places.ts';
import { Progress } from '../../packages/cli/src/progress.ts';
import { Interrupted } from '../../packages/cli/src/signals.ts';
import { storePath } from '../../packages/cli/src/store-path.ts';
import { formatSize, shown, styler, table } from '../../packages/cli/src/style.ts';
import { editDistance, nearest } from '../../packages/cli/src/suggest.ts';
import textWidth from '../../packages/cli/src/text-width.ts';
import { userFolders } from '../../packages/cli/src/user-folders.ts';
import { commandWords, createdSeconds, portOf } from '../../packages/cli/src/values.ts';
import fc from '../support/fast-check.ts';

describe('the directory of the store', () => {
  it.each([
    ['/given', { OCI_TAR_STORE: '/env' }, 'linux', '/given'],
    [undefined, { OCI_TAR_STORE: '/env', XDG_DATA_HOME: '/xdg' }, 'linux', '/env'],
    [undefined, { XDG_DATA_HOME: '/xdg', HOME: '/h' }, 'linux', '/xdg/oci-tar/store'],
    [undefined, { XDG_DATA_HOME: 'relative', HOME: '/h' }, 'linux', '/h/.local/share/oci-tar/store'],
    [undefined, { OCI_TAR_STORE: '', HOME: '/h' }, 'linux', '/h/.local/share/oci-tar/store'],
    [undefined, { HOME: '/h' }, 'darwin', '/h/Library/Application Support/oci-tar/store'],
    [undefined, { LOCALAPPDATA: '/local', HOME: '/h' }, 'win32', '/local/oci-tar/store'],
  ] as const)('given %j in %j on %s is %s', (given, env, platform, expected) => {
    expect(storePath(given, env, platform)).toBe(expected);
  });
});

describe('the folder for what can be made again', () => {
  it.each([
    [{ XDG_CACHE_HOME: '/xdg' }, 'linux', '/xdg/oci-tar'],
    [{ XDG_CACHE_HOME: 'relative', HOME: '/h' }, 'linux', '/h/.cache/oci-tar'],
    [{ HOME: '/h' }, 'darwin', '/h/Library/Caches/oci-tar'],
    [{ LOCALAPPDATA: '/local', HOME: '/h' }, 'win32', '/local/oci-tar/cache'],
  ] as const)('in %j on %s is %s', (env, platform, expected) => {
    expect(userFolders(env, platform).cache).toBe(expected);
  });
});

describe('exit statuses', () => {
  it.each([
    ['NOT_FOUND', 3],
    ['DIGEST_MISMATCH', 4],
    ['INVALID_TAR', 4],
    ['NO_SPACE', 5],
    ['READ_ONLY', 5],
    ['FORBIDDEN', 5],
    ['CONFLICT', 6],
    ['UNSUPPORTED', 7],
    ['INVALID_REFERENCE', 2],
    ['TIMEOUT', 1],
  ] as const satisfies readonly (readonly [ErrorCode, number])[])('of %s is %i', (code, status) => {
    expect(failureOf(new OciTarError(code, 'x')).status).toBe(status);
  });

  it('of signals, closed pipes and surprises', () => {
    expect([new Interrupted('SIGINT'), new Interrupted('SIGTERM'), new Interrupted('SIGHUP')].map((error) => failureOf(error).status)).toEqual([130, 143, 129]);
    expect(failureOf(Object.assign(new Error('x'), { code: 'EPIPE' }))).toEqual({ status: 141 });
    expect(failureOf(Object.assign(new Error('read error'), { code: 'EIO' }))).toEqual({ status: 1, report: { code: 'EIO', message: 'read error' } });
    expect(failureOf('text')).toEqual({ status: 1, report: { code: 'INTERNAL', message: 'text' } });
  });

  it('come with the hint of the error itself before that of the table', () => {
    expect(failureOf(new OciTarError('NO_SPACE', 'x', { hint: 'own' })).report?.hint).toBe('own');
    expect(failureOf(new OciTarError('NO_SPACE', 'x')).report?.hint).toContain('Make room');
  });
});

describe('suggestions', () => {
  it('find what is a slip away and nothing else', () => {
    expect(nearest('platfrom', ['platform', 'store'])).toBe('platform');
    expect(nearest('x', ['platform', 'store'])).toBeUndefined();
    expect(nearest('anything', [])).toBeUndefined();
  });

  it('measure a distance: none to itself, the same both ways, never more than the longer word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      }),
    );
    expect(editDistance('ab', 'ba')).toBe(1);
  });
});

describe('what looks like a path', () => {
  it.each(['out.tar', 'a/b.tar.gz', './x', '../x', '/x', '-', 'X.TAR', 'a.tzst', 'C:\\x', './a:b'])('%s does', (word) => expect(isPathLike(word)).toBe(true));
  it.each(['hello', 'hello:1', 'example.org/a/b:1', 'a:b.tar', 'oci:dir', 'oci-archive:x.tar', 'localhost:5000/a'])('%s does not', (word) => expect(isPathLike(word)).toBe(false));
});

describe('values', () => {
  it('are commands as words or as JSON', () => {
    expect(commandWords(['a', 'b'], '--cmd')).toEqual(['a', 'b']);
    expect(commandWords([' ["a", "b c"]'], '--cmd')).toEqual(['a', 'b c']);
    expect(() => commandWords(['["a"'], '--cmd')).toThrow('is not a JSON array');
  });

  it('are ports', () => {
    expect(['80', '080/udp', '65535/sctp'].map(portOf)).toEqual(['80/tcp', '80/udp', '65535/sctp']);
    for (const wrong of ['0', '65536', '80/icmp', 'a', '']) expect(() => portOf(wrong), wrong).toThrow('is not a port');
  });

  it('are moments', () => {
    expect(createdSeconds(undefined, {})).toBe(0);
    expect(createdSeconds(undefined, { SOURCE_DATE_EPOCH: '12' })).toBe(12);
    expect(createdSeconds('1970-01-01T01:00:00.9+01:00', { SOURCE_DATE_EPOCH: '12' })).toBe(0);
    for (const wrong of ['', '-1', '1969-12-31T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01', '253402300800']) expect(() => createdSeconds(wrong, {}), wrong).toThrow('no moment');
    expect(() => createdSeconds(undefined, { SOURCE_DATE_EPOCH: 'x' })).toThrow('SOURCE_DATE_EPOCH x');
  });
});

describe('text for people', () => {
  it('has sizes in powers of 1000', () => {
    expect([0, 999, 1000, 1500, 999_949, 999_950, 1e9, 5e15, 1e20].map(formatSize)).toEqual(['0 B', '999 B', '1.0 kB', '1.5 kB', '999.9 kB', '1.0 MB', '1.0 GB', '5.0 PB', '100000.0 PB']);
  });

  it('has columns', () => {
    expect(table([['a', 'bb', 'c'], ['aaa', 'b', '']])).toBe('a    bb  c\naaa  b\n');
  });

  it('has no control characters but the line feed', () => {
    expect(shown('a\u001b[2J\n\u009b\t')).toBe('a\\x1b[2J\n\\x9b\\x09');
  });

  it('is coloured on a terminal only, and not with NO_COLOR', () => {
    expect(styler(true, {})('red', 'x')).toContain('\u001b[31m');
    expect([styler(false, {}), styler(true, { NO_COLOR: '1' }), styler(true, { TERM: 'dumb' })].map((style) => style('red', 'x'))).toEqual(['x', 'x', 'x']);
    expect(textWidth(styler(true, {})('red', 'abc'))).toBe(3);
  });
});

describe('progress', () => {
  function shownBy(isTerminal: boolean, work: (progress: Progress, tick: (ms: number) => void) => void, columns?: number): string {
    let text = '';
    let now = 0;
    const progress = new Progress({ isTerminal, write: (more) => void (text += more), ...(columns === undefined ? {} : { columns }) }, () => now);
    work(progress, (ms) => void (now += ms));
    return text;
  }

  it('goes on with what somebody else does with what was handed over', () => {
    const text = shownBy(true, (progress, tick) => {
      progress.start('copying', 1000);
      progress.add(1000);
      for (const [done, total] of [[5, 10], [10, 10], [1, 4]] as const) {
        tick(100);
        progress.elsewhere(`the engine: Loading layer ${total}`, done, total);
      }
    });
    expect(text.split('\r').map((line) => line.replace(/[█░]+/, '').replace('\u001b[K', '')).filter((line) => line !== '')).toEqual([
      'copying  100 %, 1.0 kB of 1.0 kB',
      'the engine: Loading layer 10  50 %, 5 B of 10 B',
      'the engine: Loading layer 10  100 %, 10 B of 10 B',
      'the engine: Loading layer 4  25 %, 1 B of 4 B',
    ]);
  });

  it('draws one line over and over on a terminal and takes it away', () => {
    const text = shownBy(true, (progress, tick) => {
      progress.start('exporting', 1000);
      progress.add(250);
      tick(10);
      progress.add(1);
      tick(1000);
      progress.add(249);
      progress.clear();
      progress.clear();
    });
    expect(text.split('\r').map((line) => line.replace('\u001b[K', ''))).toEqual([
      '',
      'exporting ██████░░░░░░░░░░░░░░░░░░ 25 %, 250 B of 1.0 kB',
      'exporting ████████████░░░░░░░░░░░░ 50 %, 500 B of 1.0 kB, 495 B/s',
      '',
    ]);
  });

  it('never draws a line that wraps', () => {
    const text = shownBy(true, (progress) => {
      progress.start('exporting', 1000);
      progress.add(250);
    }, 20);
    expect(text).toBe('\rexporting 25 %, 250\u001b[K');
  });

  it('writes a line now and then elsewhere, and none for what is quick', () => {
    const text = shownBy(false, (progress, tick) => {
      progress.start('importing');
      progress.add(100);
      tick(2900);
      progress.add(100);
      tick(200);
      progress.add(100);
      tick(100);
      progress.add(100);
      progress.clear();
    });
    expect(text).toBe('importing: 300 B, 97 B/s\n');
  });
});
