/**
 * What a table must show. Every reach names a quotient of two rows (or a row's
 * peak) and the bound it is held against; report/verdict.mjs works them out.
 */
export const atLeast = (peer, times) => ({ kind: 'at-least', of: peer, by: 'oci-tar', bound: times })
export const atMost = (row, base, times) => ({ kind: 'at-most', of: row, by: base, bound: times })
export const flat = (row, mebibytes) => ({ kind: 'peak', of: row, bound: mebibytes })
