import { createSpool } from '#runtime/spool';
import type { Spool } from '../runtime/spool.ts';
import { bytesOf, isReadable } from './input.ts';
import type { LayerInput } from './input.ts';
import { mergeLimits, overLimit } from './limits.ts';
import { winnersInOnePass } from './one-pass.ts';
import type { MergeOptions } from './plan.ts';
import { winnersInTwoPasses } from './two-passes.ts';
import type { Winner } from './winner.ts';

/** The merged tree of layers, the topmost first, in two passes where all of them can be read twice. */
export async function* winners(layers: readonly LayerInput[], options: MergeOptions): AsyncGenerator<Winner, void, void> {
  const limits = mergeLimits(options.limits);
  if (layers.every(isReadable)) {
    yield* winnersInTwoPasses(layers, limits, options);
    return;
  }
  if (options.duplicates !== 'last' && options.base === undefined) {
    yield* winnersInOnePass(layers, limits, options);
    return;
  }
  // Which of two entries is the last is known at the end of a layer, and what to hide of the base at the end of all.
  const spools: Spool[] = [];
  let left = limits.spoolBytes;
  try {
    const held: LayerInput[] = [];
    for (const layer of layers) {
      if (isReadable(layer)) {
        held.push(layer);
        continue;
      }
      const spool = await createSpool();
      spools.push(spool);
      for await (const run of bytesOf(layer)) {
        left -= run.length;
        if (left < 0) throw overLimit('more bytes that have to wait than may', limits.spoolBytes);
        await spool.write(run);
      }
      const source = await spool.source();
      held.push(Symbol.asyncIterator in layer ? source : { ...layer, once: false, read: () => source.read() });
    }
    yield* winnersInTwoPasses(held, limits, options);
  } finally {
    for (const spool of spools) await spool.dispose();
  }
}
