import { fileURLToPath } from 'node:url'

const FLOOR = fileURLToPath(new URL('../floor.mjs', import.meta.url))

/** The copy-and-hash floor; it checks every digest itself and fails otherwise. */
export function openFloor() {
  const task = (operation, input, output) => ({
    command: process.execPath,
    args: [FLOOR, operation, input.layout, output],
    outputs: [output],
  })
  return {
    name: 'floor',
    version: `bench/floor.mjs on node ${process.version}`,
    export: (input, output) => task('export', input, output),
    import: (input, output) => task('import', input, output),
  }
}

/** The same without asking the disk to keep the bytes, as a measure of what that costs. */
export function openFloorUnsynced() {
  const floor = openFloor()
  const unsynced = (task) => ({ ...task, args: [...task.args, '--no-sync'] })
  return {
    name: 'floor, not synced',
    version: floor.version,
    export: (input, output) => unsynced(floor.export(input, output)),
    import: (input, output) => unsynced(floor.import(input, output)),
  }
}
