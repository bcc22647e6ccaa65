import { openCtr } from './ctr.mjs'
import { openFloor, openFloorUnsynced } from './floor.mjs'
import { openOurCopy, openOurs } from './ours.mjs'
import { openSkopeo } from './skopeo.mjs'
import { openUmoci } from './umoci.mjs'

const OPENERS = {
  'oci-tar': openOurs,
  'oci-tar copy': openOurCopy,
  skopeo: openSkopeo,
  ctr: openCtr,
  umoci: openUmoci,
  floor: openFloor,
  'floor, not synced': openFloorUnsynced,
}

export const TOOL_NAMES = Object.keys(OPENERS)

/**
 * Opens every tool; one that is not installed, or not asked for, says so in `absent`.
 * @param {{ work: string, env: NodeJS.ProcessEnv, only?: string[] }} context
 */
export async function openTools(context) {
  const tools = []
  for (const [name, open] of Object.entries(OPENERS)) {
    const asked = context.only === undefined || context.only.some((word) => name.startsWith(word))
    tools.push(asked ? await open(context) : { name, absent: 'not asked for' })
  }
  return tools
}
