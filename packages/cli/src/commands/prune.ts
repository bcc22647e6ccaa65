import { OciTarError, pruneStore } from '@oci-tar/core';
import type { StorePruneReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { flagOption } from '../options.ts';
import { openStore } from '../places.ts';
import { counted, formatSize } from '../style.ts';

export const command = defineCommand({
  spec: '',
  words: {},
  options: { 'dry-run': flagOption('Only says what would be removed') },
  examples: [
    ['oci-tar prune', 'frees what no image in the local store needs'],
    ['oci-tar prune --dry-run', 'how much that would be'],
    ['oci-tar rm hello:1 --prune', 'a name and what only it needed, in one go'],
  ],
  remarks: 'Safe while other processes import into the same store: what they rely on is kept. Not while another tool, such as skopeo, writes to it.',
  async run(_, options, context) {
    const dryRun = options['dry-run'] === true;
    const report = await pruned(context, dryRun);
    await print(context, { json: { dryRun, ...report }, text: pruneText(report, dryRun) });
  },
});

/** Whether what takes the part of the local store frees space by itself. */
export function prunesItself({ store }: Context): boolean {
  return store.startsWith('containerd:');
}

/** UNSUPPORTED where there is nothing to do for us. */
export function checkPrunable(context: Context): void {
  if (!prunesItself(context)) return;
  throw new OciTarError('UNSUPPORTED', 'containerd frees what no image needs by itself', { side: 'target', subject: context.store, hint: 'oci-tar rm takes names away; containerd collects the rest after that.' });
}

/** Prunes the local store. */
export async function pruned(context: Context, dryRun = false): Promise<StorePruneReport> {
  checkPrunable(context);
  const store = await openStore(context);
  context.progress.start('pruning');
  return pruneStore(store, { dryRun, signal: context.signal }).finally(() => store.close());
}

export function pruneText({ blobs, bytes, kept, leased, abandoned, referrers = 0 }: StorePruneReport, dryRun = false): string {
  const lines = [`${dryRun ? 'would free' : 'freed'} ${formatSize(bytes)}: ${counted(blobs, 'blob')}; ${counted(kept, 'blob')} kept`];
  if (referrers > 0) lines.push(`${dryRun ? 'would remove' : 'removed'} ${counted(referrers, 'referrer')} of what is gone (signatures, attestations, SBOMs)`);
  if (leased > 0) lines.push(`${counted(leased, 'blob')} of those kept for what is being written now`);
  if (abandoned.files > 0) lines.push(`${dryRun ? 'would remove' : 'removed'} what a killed process had left: ${counted(abandoned.files, 'file')}, ${formatSize(abandoned.bytes)}`);
  return lines.map((line) => `${line}\n`).join('');
}
