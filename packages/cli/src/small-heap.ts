/** Where a small heap is worth its time: the import of 100,000 blobs stays below, a TOC of 400,000 entries does not. */
const smallHeap = 160 * 1024 * 1024;
const interval = 200;

/**
 * Less memory for a little time: an archive of 100,000 blobs takes 110 MB instead of 250 (docs/decisions/memory.md). A heap that turns out to be large all the same, as with a
 * TOC of hundreds of thousands of entries, is collected as V8 sees fit: V8 otherwise collects all of it for every tenth that is added, buffers outside of it included. A layer of
 * 400,000 files so took more than eight minutes to build instead of 20 s, and more memory.
 */
export function preferSmallHeap(): void {
  // Not imported: `--version` does without.
  const { getHeapStatistics, setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--optimize-for-size');
  const timer = setInterval(() => {
    if (getHeapStatistics().used_heap_size <= smallHeap) return;
    setFlagsFromString('--no-optimize-for-size');
    clearInterval(timer);
  }, interval);
  // It must not keep the process alive.
  timer.unref();
}
