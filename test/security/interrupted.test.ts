import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { Cli } from '../cli/support.ts';
import { Sandbox, addImage, attemptOf, directory, file, symlink } from './support.ts';

describe.each([
  ['with handles', true],
  ['with checks', false],
] as const)('what is interrupted, %s,', (_, handles) => {
  it('leaves nothing after an abort, whose reason is thrown', async () => {
    const sandbox = new Sandbox();
    const controller = new AbortController();
    const reason = new Error('stopped');
    async function* entries(): AsyncGenerator<WriteEntry, void, void> {
      yield file('a/b/c');
      yield symlink('a/link', sandbox.outside);
      controller.abort(reason);
      yield file('d');
    }
    await expect(writeTree(entries(), sandbox.target, { signal: controller.signal, handles })).rejects.toBe(reason);
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('leaves nothing after an abort in the middle of a file', async () => {
    const sandbox = new Sandbox();
    const controller = new AbortController();
    const reason = new Error('stopped');
    async function* zeros(): AsyncGenerator<Uint8Array, void, void> {
      for (let i = 0; ; i += 1) {
        yield new Uint8Array(65_536).fill(1);
        if (i === 3) controller.abort(reason);
      }
    }
    async function* entries(): AsyncGenerator<WriteEntry, void, void> {
      yield { path: 'endless', type: 'file', size: 2 ** 33, data: zeros() };
    }
    await expect(writeTree(entries(), sandbox.target, { signal: controller.signal, handles })).rejects.toBe(reason);
    sandbox.expectNothingLeft();
  });

  it('leaves nothing after an error, whatever the modes of directories are and however deep they go', async () => {
    const sandbox = new Sandbox();
    async function* entries(): AsyncGenerator<WriteEntry, void, void> {
      yield directory('none/', { mode: 0 });
      yield file('none/at/all');
      yield directory('read-only/in/', { mode: 0o555 });
      yield file(`${'deep/'.repeat(handles ? 400 : 40)}file`);
      const within = join(sandbox.dir, 'within');
      const [name = ''] = readdirSync(within);
      // As they are when the very last steps fail.
      for (const path of ['none/at', 'none', 'read-only']) chmodSync(join(within, name, path), 0);
      throw new Error('the end');
    }
    await expect(writeTree(entries(), sandbox.target, { handles })).rejects.toThrow('the end');
    sandbox.expectNothingLeft();
  });
});

describe('the command', () => {
  it('leaves nothing when it is stopped while it unpacks', async () => {
    const sandbox = new Sandbox();
    const cli = new Cli();
    await addImage(cli.path('store'), [Array.from({ length: 3000 }, (_, i) => file(`d${i % 50}/f${i}`))]);
    const controller = new AbortController();
    const running = cli.run(['unpack', 'hostile:1', sandbox.target], { signal: controller.signal });
    const within = join(sandbox.dir, 'within');
    while (readdirSync(within).length === 0) await setTimeout(1);
    controller.abort(new Error('stopped'));
    expect((await running).status).not.toBe(0);
    sandbox.expectNothingLeft();
  });

  it('finishes a root filesystem whose directories nobody may enter', async () => {
    const sandbox = new Sandbox();
    const cli = new Cli();
    await addImage(cli.path('store'), [[directory('./', { mode: 0 }), directory('closed/', { mode: 0 }), file('closed/a')]]);
    expect((await cli.run(['unpack', 'hostile:1', sandbox.target])).status).toBe(0);
    expect(statSync(sandbox.target).mode & 0o7777).toBe(0);
    chmodSync(sandbox.target, 0o700);
    chmodSync(sandbox.path('closed'), 0o700);
  });

  it('fails on an entry that comes after thousands, and leaves nothing', async () => {
    const sandbox = new Sandbox();
    async function* entries(): AsyncGenerator<WriteEntry, void, void> {
      for (let i = 0; i < 2000; i += 1) yield file(`d${i % 200}/f${i}`, '');
      yield file('../escaped');
    }
    expect((await attemptOf(sandbox, () => writeTree(entries(), sandbox.target))).refused).toBe('UNSAFE_PATH');
    sandbox.expectNothingLeft();
  });
});
