/** How much may be under way or wait for its turn. */
export interface Ahead {
  readonly count: number;
  readonly bytes: number;
}

interface Running<R> {
  readonly size: number;
  readonly result: Promise<R>;
}

/**
 * Runs jobs several at a time and hands their results out in the order of the jobs. Reading ahead stops at `count` jobs and
 * at `bytes` of input; one job always runs. Ends only when no job runs any more, even when it is given up.
 */
export async function* ordered<J extends { readonly size: number }, R>(
  jobs: AsyncIterable<J>,
  ahead: Ahead,
  run: (job: J) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const running: Running<R>[] = [];
  let bytes = 0;
  try {
    for await (const job of jobs) {
      while (running.length > 0 && (running.length >= ahead.count || bytes + job.size > ahead.bytes)) {
        const first = running.shift();
        if (first === undefined) break;
        bytes -= first.size;
        yield await first.result;
      }
      const result = run(job);
      // Thrown where it is awaited, which may be later.
      result.catch(() => {});
      running.push({ size: job.size, result });
      bytes += job.size;
    }
    for (let first = running.shift(); first !== undefined; first = running.shift()) yield await first.result;
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
  }
}
