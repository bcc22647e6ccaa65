import { big } from './big.mjs'
import { containerd } from './containerd.mjs'
import { dockerEngine } from './docker-engine.mjs'
import { estargz } from './estargz.mjs'
import { flatten } from './flatten.mjs'
import { many } from './many.mjs'
import { pack } from './pack.mjs'
import { paths } from './paths.mjs'
import { exportReal, importReal } from './real.mjs'
import { registry } from './registry.mjs'
import { serve } from './serve.mjs'
import { startup } from './startup.mjs'
import { tarIndex } from './tar-index.mjs'
import { tarSplit } from './tar-split.mjs'
import { unpack } from './unpack.mjs'

/**
 * A scenario gets the bench's context and returns tables:
 * { title, note?, rows, reaches } with rows as measure/rounds.mjs gives them.
 */
export const SCENARIOS = { export: exportReal, import: importReal, big, many, containerd, 'docker-engine': dockerEngine, registry, serve, startup, pack, 'tar-index': tarIndex, 'tar-split': tarSplit, unpack, flatten, paths, estargz }

export const SCENARIO_NAMES = Object.keys(SCENARIOS)
