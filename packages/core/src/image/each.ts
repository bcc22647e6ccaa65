/**
 * Runs `work` over the items, at most `jobs` at a time. The first failure stops the rest: those under way get an aborted
 * signal, so that nobody waits for 10 GB beside a damaged 1 KB. It is thrown when all have settled.
 */
export async function eachOf<T>(items: readonly T[], jobs: number, work: (item: T, signal: AbortSignal) => Promise<void>, signal?: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const joined = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  let next = 0;
  let failure: { readonly reason: unknown } | undefined;
  const run = async () => {
    // One for each: past ten listeners on one signal Node warns of a leak.
    const own = AbortSignal.any([joined]);
    while (next < items.length && failure === undefined) {
      const item = items[next++];
      if (item === undefined) continue;
      await work(item, own).catch((reason: unknown) => {
        failure ??= { reason };
        stop.abort(reason);
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, run));
  if (failure !== undefined) throw failure.reason;
}
