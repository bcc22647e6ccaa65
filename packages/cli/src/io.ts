import type { ByteSink, ByteStream } from '@oci-tar/core';

/** What a command has of the world around it; tests give it another one. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Messages;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C and its like. */
  readonly signal: AbortSignal;
  /** Of this program. */
  readonly version: string;
}

export interface Input {
  readonly isTerminal: boolean;
  bytes(): ByteStream;
}

export interface Output {
  readonly isTerminal: boolean;
  readonly columns?: number;
  /** Resolves when the text is with the system. */
  write(text: string): Promise<void>;
  /** For an archive. */
  sink(): ByteSink;
}

/** Where messages go. What cannot be written there is lost: there is nobody left to tell. */
export interface Messages {
  readonly isTerminal: boolean;
  readonly columns?: number;
  write(text: string): void;
}
