import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { Sandbox, addImage, attemptOf, file } from './support.ts';
import { Cli } from '../cli/support.ts';

/** Puts a symlink in the place of the directory `way` of whatever is written, and the directory back, over and over. */
const swapper = `
const { readdirSync, renameSync, symlinkSync, unlinkSync } = require('node:fs');
const { join } = require('node:path');
const [within, outside] = process.argv.slice(1);
const attempt = (work) => { try { work(); return true; } catch { return false; } };
let swaps = 0;
process.on('SIGTERM', () => { process.stdout.write(String(swaps)); process.exit(0); });
process.stdout.write('ready\\n');
const turn = () => {
  const names = readdirSync(within);
  for (let i = 0; i < 200; i++) for (const name of names) {
    const way = join(within, name, 'way');
    if (attempt(() => renameSync(way, way + '.away')) && attempt(() => symlinkSync(outside, way))) swaps++;
    attempt(() => unlinkSync(way));
    attempt(() => renameSync(way + '.away', way));
  }
  setImmediate(turn);
};
turn();
`;

async function attacked<T>(sandbox: Sandbox, work: () => Promise<T>): Promise<{ readonly result: T; readonly swaps: number }> {
  const child = spawn(process.execPath, ['-e', swapper, join(sandbox.dir, 'within'), sandbox.outside], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child.stdout, 'data');
  const result = await work().finally(() => child.kill());
  await once(child, 'close');
  return { result, swaps: Number(said.replace('ready\n', '')) };
}

/** Files in `way` and in so many other directories that `way` is opened anew each time. */
function* files(rounds: number): Generator<ReturnType<typeof file>, void, void> {
  for (let round = 0; round < rounds; round += 1) {
    yield file(`way/new${round}`, '');
    for (let other = 0; other < 140; other += 1) yield file(`other${other}/${round}`, '');
  }
}

async function* stream(rounds: number): AsyncGenerator<WriteEntry, void, void> {
  yield* files(rounds);
}

describe('a directory that another process swaps for a symlink all the time', () => {
  it('leads a writer astray that goes by paths, so that the attack is one', async () => {
    const sandbox = new Sandbox();
    const root = join(sandbox.dir, 'within', 'naive');
    mkdirSync(join(root, 'way'), { recursive: true });
    const escaped = join(sandbox.outside, 'new');
    const { result } = await attacked(sandbox, async () => {
      for (let turn = 0; turn < 2_000_000 && !existsSync(escaped); turn += 1) {
        try {
          writeFileSync(join(root, 'way/new'), '');
          if (!existsSync(escaped)) rmSync(join(root, 'way/new'));
        } catch {
          // The directory was away.
        }
        if (turn % 1000 === 0) await setImmediate();
      }
      return existsSync(escaped);
    });
    expect(result).toBe(true);
  });

  it('leads nothing astray here', async () => {
    let swaps = 0;
    let refusals = 0;
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const sandbox = new Sandbox();
      const attack = await attacked(sandbox, () => attemptOf(sandbox, () => writeTree(stream(8), sandbox.target, { rootless: true })));
      sandbox.expectUntouched();
      swaps += attack.swaps;
      if (attack.result.refused !== undefined) {
        refusals += 1;
        expect(['CONFLICT', 'UNSAFE_PATH']).toContain(attack.result.refused);
        expect(existsSync(sandbox.target)).toBe(false);
      }
      if (swaps > 100 && refusals > 0) break;
    }
    expect(swaps).toBeGreaterThan(0);
    expect(refusals).toBeGreaterThan(0);
  });

  it('leads the command not astray either', async () => {
    const sandbox = new Sandbox();
    const cli = new Cli();
    await addImage(cli.path('store'), [[...files(8)]]);
    const { result, swaps } = await attacked(sandbox, () => cli.run(['unpack', 'hostile:1', sandbox.target, '--json']));
    sandbox.expectUntouched();
    expect(swaps).toBeGreaterThan(0);
    expect([0, 4, 6]).toContain(result.status);
    expect(readdirSync(join(sandbox.dir, 'within')).includes('root')).toBe(result.status === 0);
  });
});
