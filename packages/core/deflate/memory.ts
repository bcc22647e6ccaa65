// Where things lie in the module's memory. All of it is fixed: a stream of any length goes through the same 2.6 MB.

/** How far back deflate can refer (RFC 1951, 2). */
export const windowSize: u32 = 32768;

/** Input is taken in segments of at most so many bytes, each with the window before it. */
export const segmentSize: u32 = 1 << 20;

/** Symbols of literals and lengths, of distances, and of the code for code lengths (RFC 1951, 3.2.5 and 3.2.7). */
export const literalSymbols: u32 = 288;
export const distanceSymbols: u32 = 32;
export const lengthSymbols: u32 = 19;

/** A block refers back at most so often, and has so many literals: what the distributions of symbols can change in, and what their frequencies can be. */
export const sequencesOfBlock: u32 = 4096;
export const literalsOfBlock: u32 = 16384;

/** Past the end of the input: eight bytes are looked at at a time. */
const slack: u32 = 64;
/** What a segment becomes at most: its bytes, and the frames of stored blocks. */
const outputSize: u32 = segmentSize + segmentSize / 256;

/** The window, and behind it the segment. */
export const input: usize = memory.data(<i32>(windowSize + segmentSize + slack));
export const segment: usize = input + <usize>windowSize;
export const output: usize = memory.data(<i32>(outputSize + slack));
