import { join } from 'node:path'
import { checkArchive, checkLayout } from '../measure/result.mjs'
import { firstLine } from './tool.mjs'

export function openSkopeo({ env, work }) {
  const version = firstLine('skopeo', ['--version'], env)
  if (version === undefined) return { name: 'skopeo', absent: 'not installed' }
  const copy = (source, target, output, check) => ({
    command: 'skopeo',
    // skopeo's own default is /var/tmp, which may lie on another disk than the outputs.
    args: ['--insecure-policy', '--tmpdir', join(work, 'tmp'), 'copy', '--quiet', source, target],
    outputs: [output],
    check,
  })
  return {
    name: 'skopeo',
    version,
    export: (input, output) =>
      copy(`oci:${input.layout}`, `oci-archive:${output}:bench`, output, () => checkArchive(output, input)),
    import: (input, output) =>
      copy(`oci-archive:${input.archive}`, `oci:${output}:bench`, output, () => checkLayout(output, input)),
  }
}
