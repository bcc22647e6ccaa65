import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { PackEntry } from '../tar/pack.ts';
import { asPlainFile } from '../tar/sparse.ts';
import type { SparseOptions } from '../tar/sparse.ts';
import type { LayerInput } from './input.ts';
import { fieldsOf } from './output-header.ts';
import { bytesOfPath, textOfPath } from './path.ts';
import type { MergeOptions } from './plan.ts';
import type { Body } from './winner.ts';
import { winners } from './winners.ts';

export interface MergedEntry extends PackEntry {
  /** Exact, where `path` may not be. */
  readonly pathBytes: Uint8Array;
  /** The layer that it comes from, as numbered in the argument, from 0; undefined for a directory that no layer has an entry of. */
  readonly layer: number | undefined;
}

export interface MergedEntriesOptions extends MergeOptions {
  /** For sparse files, which come as plain ones. */
  readonly sparse?: SparseOptions;
}

/**
 * The same as `mergeLayers` as entries, one after the other, for whoever writes them somewhere. Paths are normalised, those of
 * directories end in a slash, the root is `./`; there are no whiteouts. A body (`data`) can be read once, until the next entry is
 * asked for, and what is not read is passed over.
 */
export async function* mergedEntries(layers: readonly LayerInput[], options: MergedEntriesOptions = {}): AsyncGenerator<MergedEntry, void, void> {
  let current = 0;
  for await (const winner of winners(layers, options)) {
    const own = ++current;
    const { layer, path } = winner;
    if (winner.kind !== 'entry') {
      yield { ...fieldsOf(winner), layer };
      continue;
    }
    const { entry, body } = winner;
    const plain = asPlainFile({ ...entry, data: runsOf(body, () => own === current, entry.path) }, options.sparse);
    yield { ...plain, path: textOfPath(path), pathBytes: bytesOfPath(path), layer };
  }
}

async function* runsOf(body: Body, isCurrent: () => boolean, path: string): ByteStream {
  for (;;) {
    if (!isCurrent()) throw new OciTarError('INVALID_ARGUMENT', `the body of ${JSON.stringify(path)} was passed over when the next entry was asked for`, { subject: path });
    const run = await body.run();
    if (run === undefined) return;
    yield run;
  }
}
