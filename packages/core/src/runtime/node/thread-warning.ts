const told = new Set<string>();

/**
 * Says, once for each task, that a thread failed and its work goes on without one: slower, with the same results. A Node warning, since
 * there is no caller to tell: the result is right, but something is missing or broken.
 */
export function warnOfThread(task: string, error: unknown): void {
  if (told.has(task)) return;
  told.add(task);
  const reason = error instanceof Error ? error.message : String(error);
  process.emitWarning(`a thread that ${task} failed, so that this goes on without threads: ${reason}`, { type: 'OciTarWarning' });
}
