/** The signals that end a command in an orderly way, with the exit status that a shell reports for each. */
const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export type EndSignal = keyof typeof statuses;

const names: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Wrappers such as npx pass a Ctrl-C on to a program that has got it from the terminal already: one key press, in ms. */
const samePress = 100;

/** So long after the first signal a person is told how to leave, and the process leaves by itself, in ms. */
const patience = 2000;
const limit = 10_000;

/** The reason of an abort that a signal caused. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly by: EndSignal;

  constructor(by: EndSignal) {
    super(`stopped by ${by}`);
    this.by = by;
  }

  get status(): number {
    return statuses[this.by];
  }
}

export interface Signals {
  readonly received: EndSignal | undefined;
  /** From now on signals do what they do by default. */
  dispose(): void;
}

/** The first signal aborts, so that whatever runs can clean up; a second one ends the process at once. */
export function onSignals(controller: AbortController, say: (text: string) => void): Signals {
  let received: EndSignal | undefined;
  let since = 0;
  const timers: NodeJS.Timeout[] = [];
  const handlers = names.map((name) => {
    const handler = () => {
      if (received !== undefined && performance.now() - since < samePress) return;
      if (received !== undefined) dieBy(name);
      since = performance.now();
      received = name;
      controller.abort(new Interrupted(name));
      timers.push(setTimeout(() => say('oci-tar: cleaning up; press Ctrl-C again to leave at once\n'), patience).unref());
      // An open or a write that the system never answers (a FIFO without a reader) would keep the process for ever.
      timers.push(setTimeout(() => dieBy(name), limit).unref());
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  return {
    get received() {
      return received;
    },
    dispose() {
      for (const timer of timers) clearTimeout(timer);
      for (const off of handlers) off();
    },
  };
}

/**
 * Ends the process by the signal itself, so that a shell sees it and stops its loop too; without waiting for system
 * calls that hang, as process.exit would.
 */
export function dieBy(name: EndSignal): never {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
  // Process 1 of a container is not ended by its own signals.
  process.exit(statuses[name]);
}
