/** Runs `work` over the items, at most `jobs` at a time. The first failure stops the rest and is thrown when all have settled. */
export async function eachOf<T>(items: readonly T[], jobs: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  let failure: { readonly reason: unknown } | undefined;
  const run = async () => {
    while (next < items.length && failure === undefined) {
      const item = items[next++];
      if (item === undefined) continue;
      await work(item).catch((reason: unknown) => (failure ??= { reason }));
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, run));
  if (failure !== undefined) throw failure.reason;
}
