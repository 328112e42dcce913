/** `npm run soak -- --minutes 60`: an executor on each store, at work for four fifths of the time and idle for the rest. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({ options: { minutes: { type: "string", default: "60" } } })
if (!(Number(values.minutes) > 0)) throw new Error(`--minutes: "${values.minutes}" is not a number of minutes`)

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))
const { status } = spawnSync(process.execPath, [vitest, "run", "test/soak"], {
  stdio: "inherit",
  env: { ...process.env, PERDURE_SOAK_MINUTES: values.minutes }
})
process.exit(status ?? 1)
