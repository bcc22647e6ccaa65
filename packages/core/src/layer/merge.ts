import { OciTarError } from '../errors.ts';
import { blockSize, paddingOf } from '../tar/block.ts';
import type { LayerInput } from './input.ts';
import { outputHeader } from './output-header.ts';
import type { MergeOptions } from './plan.ts';
import { RunBuffer } from './run-buffer.ts';
import { winners } from './winners.ts';

/**
 * The layers, the topmost first, merged into one plain tar without whiteouts: what a container of them would see (image-spec,
 * layer.md). Names are normalised; directories without an entry of their own are 0755 and belong to 0:0. Where all layers can be read
 * twice (`ByteSource` and the like), directories come before what is in them and links after their targets, and nothing is written
 * before every layer was read and verified; streams are read once, and what they hide waits on disk up to a limit. Equal layers give
 * equal bytes. INVALID_TAR, UNSAFE_PATH, LIMIT_EXCEEDED, and what `ReadableLayer.expected` says.
 */
export async function* mergeLayers(layers: readonly LayerInput[], options: MergeOptions = {}): AsyncGenerator<Uint8Array, void, void> {
  const out = new RunBuffer();
  for await (const winner of winners(layers, options)) {
    out.put(await outputHeader(winner));
    if (winner.kind === 'entry' && winner.entry.size > 0) {
      const { body, entry } = winner;
      let size = 0;
      for (let run = await body.run(); run !== undefined; run = await body.run()) {
        size += run.length;
        out.put(run);
        for (let full = out.take(); full !== undefined; full = out.take()) yield full;
      }
      if (size !== entry.size) throw new OciTarError('SIZE_MISMATCH', `the body of ${JSON.stringify(entry.path)} has ${size} bytes, expected ${entry.size}`, { expected: entry.size, actual: size });
      out.zeros(paddingOf(size));
    }
    for (let full = out.take(); full !== undefined; full = out.take()) yield full;
  }
  out.zeros(2 * blockSize);
  out.end();
  for (let full = out.take(); full !== undefined; full = out.take()) yield full;
}
