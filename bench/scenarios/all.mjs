import { big } from './big.mjs'
import { many } from './many.mjs'
import { exportReal, importReal } from './real.mjs'
import { startup } from './startup.mjs'

/**
 * A scenario gets the bench's context and returns tables:
 * { title, note?, rows, reaches } with rows as measure/rounds.mjs gives them.
 */
export const SCENARIOS = { export: exportReal, import: importReal, big, many, startup }

export const SCENARIO_NAMES = Object.keys(SCENARIOS)
