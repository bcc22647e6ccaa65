import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { lacking } from './tool.ts';

export interface Needs<Peer> {
  readonly tools: readonly string[];
  readonly root?: boolean;
  /** Makes the peer, with a temporary directory of its own. */
  readonly start: (directory: string) => Promise<Peer>;
  readonly stop?: (peer: Peer) => Promise<void>;
  /** Printed when a test fails. */
  readonly log?: (peer: Peer) => string;
}

export interface Lent<Peer> {
  readonly peer: Peer;
  /** A temporary directory of this suite, beside the peer's own. */
  readonly directory: string;
}

/**
 * A suite that needs tools of other projects. Where one is missing, each of its tests is skipped by name with the reason,
 * and nothing is started.
 */
export function describeWith<Peer>(title: string, needs: Needs<Peer>, body: (lent: () => Lent<Peer>) => void): void {
  // Peers are slow where everything runs at once.
  describe(title, { timeout: 180_000 }, () => {
    const missing = lacking(needs.tools, needs.root);
    let directory: string | undefined;
    let lent: Lent<Peer> | undefined;
    const current = () => {
      if (lent === undefined) throw new Error(`the peer of "${title}" is not running`);
      return lent;
    };
    beforeAll(async () => {
      if (missing !== undefined) return;
      directory = await mkdtemp(join(tmpdir(), 'oci-tar-interop-'));
      lent = { peer: await needs.start(directory), directory };
    }, 180_000);
    afterAll(async () => {
      if (lent !== undefined) await needs.stop?.(lent.peer);
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    }, 180_000);
    beforeEach(({ skip, onTestFailed }) => {
      skip(missing !== undefined, missing);
      onTestFailed(() => {
        if (lent !== undefined && needs.log !== undefined) console.error(needs.log(lent.peer));
      });
    });
    body(current);
  });
}
