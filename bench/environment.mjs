/** Clears the bits of SHA-1 and SHA-2 instructions from what OpenSSL sees of the processor. */
const NO_SHA = '~0x0:~0x20000000'
const LEFT_OUT = new Set(['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'OCI_TAR_STORE', 'OPENSSL_ia32cap'])

/**
 * The environment that every measured process gets. Left out is what would bill
 * a tool for the caller's own set-up: NODE_EXTRA_CA_CERTS alone adds tens of
 * milliseconds to the start of Node.
 * @param {{ shaInstructions: boolean, temporary: string }} options
 */
export function environment({ shaInstructions, temporary }) {
  const kept = Object.entries(process.env).filter(([name]) => !LEFT_OUT.has(name))
  return { ...Object.fromEntries(kept), TMPDIR: temporary, ...(shaInstructions ? {} : { OPENSSL_ia32cap: NO_SHA }) }
}
