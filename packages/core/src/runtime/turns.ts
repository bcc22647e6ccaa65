import { nextTurn } from '#runtime/turn';

/** Longer than this, in milliseconds, and timers and sockets of the same thread would feel it. */
const slice = 4;

/** Keeps work on the main thread from holding up everything else: ask between steps whether it is time to let go. */
export class Turns {
  #since = performance.now();

  /** A promise only when the slice is used up. */
  rest(): Promise<void> | undefined {
    if (performance.now() - this.#since < slice) return undefined;
    return nextTurn().then(() => {
      this.#since = performance.now();
    });
  }
}
