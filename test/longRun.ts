/** Tests that run for as long as is wanted, from a command of their own. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url))

/** What was given as `--minutes`. */
export const minutesOf = (given: string): number => {
  const minutes = Number(given)
  if (minutes > 0) return minutes
  throw new Error(`--minutes: "${given}" is not a number of minutes`)
}

/** Runs them, and ends this process as they end. */
export const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): never => {
  const { status } = spawnSync(process.execPath, [vitest, "run", ...args], {
    stdio: "inherit",
    env: { ...process.env, ...env }
  })
  process.exit(status ?? 1)
}
