import { firstLine } from './tool.mjs'

/** umoci reads and writes layout directories only: it has no archive to compare, and is listed for that reason. */
export function openUmoci({ env }) {
  const version = firstLine('umoci', ['--version'], env)
  if (version === undefined) return { name: 'umoci', absent: 'not installed' }
  return { name: 'umoci', version, absent: 'has no verb for archives' }
}
