/** `npm run chaos -- --minutes 30 --seed N`: the chaos tests, for as long as is wanted. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, seed: { type: "string" }, only: { type: "string" } }
})
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new Error(`--minutes: "${values.minutes}" is not a number of minutes`)

const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))
const only = values.only === undefined ? [] : ["-t", values.only]
const { status } = spawnSync(process.execPath, [vitest, "run", "test/chaos/chaos.test.ts", ...only], {
  stdio: "inherit",
  env: {
    ...process.env,
    PERDURE_CHAOS_SECONDS: String(minutes * 60),
    ...(values.seed === undefined ? {} : { PERDURE_SEED: values.seed })
  }
})
process.exit(status ?? 1)
