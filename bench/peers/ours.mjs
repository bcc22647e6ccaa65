import { fileURLToPath } from 'node:url'
import { checkArchive, checkLayout } from '../measure/result.mjs'
import { firstLine } from './tool.mjs'

export const CLI = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))

/** oci-tar by its main verbs: export from a store, import into an empty one. */
export function openOurs({ env }) {
  const version = firstLine(process.execPath, [CLI, '--version'], env)
  if (!version) return { name: 'oci-tar', absent: 'packages/cli/dist/main.js does not run; `npm run build` first' }
  const task = (args, outputs, check) => ({ command: process.execPath, args: [CLI, ...args], outputs, check })
  return {
    name: 'oci-tar',
    version,
    export: (input, output) =>
      task(['export', input.reference, output, '--store', input.layout, '-q'], [output], () => checkArchive(output, input)),
    import: (input, output) =>
      task(['import', input.archive, '--store', output, '-q'], [output], () => checkLayout(output, input)),
  }
}

/** oci-tar by the verb that is spelled like skopeo's. */
export function openOurCopy({ env }) {
  const ours = openOurs({ env })
  const name = 'oci-tar copy'
  if (ours.absent) return { name, absent: ours.absent }
  const copy = (source, target, outputs, check) => {
    const args = [CLI, 'copy', source, target, '-q']
    return { command: process.execPath, args, outputs, check }
  }
  return {
    name,
    version: ours.version,
    export: (input, output) =>
      copy(`oci:${input.layout}:${input.reference}`, `oci-archive:${output}:${input.reference}`, [output], () =>
        checkArchive(output, input),
      ),
    import: (input, output) =>
      copy(`oci-archive:${input.archive}:${input.reference}`, `oci:${output}:${input.reference}`, [output], () =>
        checkLayout(output, input),
      ),
  }
}
