import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import { defaultWriteLimits } from '../../packages/core/src/runtime/tree-writer.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { Sandbox, attemptOf, bothWays, directory, file } from './support.ts';

const some = Array.from({ length: 50 }, (_, i) => file(`f${i}`, ''));

describe('more entries than may be', () => {
  bothWays('are refused', [some], ({ refused, message }) => {
    expect(refused).toBe('LIMIT_EXCEEDED');
    expect(message).toContain('49');
  }, ['--max-entries', '49'], { limits: { entries: 49 } });

  bothWays('are not as many as may be', [some], ({ refused }) => expect(refused).toBeUndefined(), ['--max-entries', '50'], { limits: { entries: 50 } });

  bothWays('are counted though they are the same directory', [some.map(() => directory('a/'))], ({ refused }) => expect(refused).toBeDefined(), ['--max-entries', '49', '--last-duplicate'], { limits: { entries: 49 } });

  it('are 2,000,000 by default', () => expect(defaultWriteLimits.entries).toBe(2_000_000));

  it('end an endless stream', async () => {
    const sandbox = new Sandbox();
    async function* endless(): AsyncGenerator<WriteEntry, void, void> {
      for (;;) yield { path: './', type: 'directory' };
    }
    const { refused, message } = await attemptOf(sandbox, () => writeTree(endless(), sandbox.target, { limits: { entries: 10_000 } }));
    expect(refused).toBe('LIMIT_EXCEEDED');
    expect(message).toContain('10000');
    sandbox.expectNothingLeft();
  });
});
