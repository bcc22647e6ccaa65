import { setImmediate } from 'node:timers/promises';

/** Lets everything else that waits for the event loop go first. */
export function nextTurn(): Promise<void> {
  return setImmediate();
}
