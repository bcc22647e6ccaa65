import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayoutWriters, LeasedBlob } from '../../layout/driver.ts';
import { mapErrno } from '../../runtime/node/errno.ts';
import { leaseEnding, readLease } from './lease.ts';
import { sweepLockFiles } from './lock-file.ts';
import { lockName, privateFolder, privateName } from './private-folder.ts';
import { grace, namesIn, sweepFolders } from './sweep.ts';
import { randomHex } from '../../runtime/node/builtins.ts';

/**
 * Sweeps what dead writers left, and reads the leases of the others. After the sweep every lease that is still there counts:
 * there are no two opinions on who lives, since a writer whose lease was swept finds that out before it names anything.
 */
export async function surveyWriters(root: string, dryRun: boolean): Promise<LayoutWriters> {
  const own = join(root, privateName);
  const staging = join(own, 'staging');
  try {
    await privateFolder(own);
    await privateFolder(staging);
    const now = await fileTime(own);
    const swept = await sweepFolders(staging, now, dryRun);
    if (!dryRun) await sweepLockFiles(join(own, lockName), now, grace);
    return { leased: await leasesIn(staging, new Set(swept.folders)), abandoned: { files: swept.files, bytes: swept.bytes } };
  } catch (error) {
    throw mapErrno(error, own);
  }
}

async function leasesIn(staging: string, dead: ReadonlySet<string>): Promise<readonly LeasedBlob[]> {
  const leased: LeasedBlob[] = [];
  for (const name of await namesIn(staging)) {
    const folder = join(staging, name);
    if (dead.has(folder)) continue;
    for (const file of await namesIn(folder)) {
      if (!file.endsWith(leaseEnding)) continue;
      for (const blob of await readLease(join(folder, file))) leased.push(blob);
    }
  }
  return leased;
}

/** The time by the file system's own clock, in milliseconds. */
async function fileTime(folder: string): Promise<number> {
  const path = join(folder, `now-${randomHex(8)}`);
  const handle = await open(path, 'wx');
  try {
    return (await handle.stat()).mtimeMs;
  } finally {
    await handle.close();
    await unlink(path).catch(() => {});
  }
}
