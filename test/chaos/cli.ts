/** `npm run chaos -- --minutes 30 --seed N`: the chaos tests, for as long as is wanted. */
import { parseArgs } from "node:util"
import { minutesOf, run } from "../longRun.ts"

const { values: { minutes, only, seed } } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, seed: { type: "string" }, only: { type: "string" } }
})
run(["test/chaos/chaos.test.ts", ...(only === undefined ? [] : ["-t", only])], {
  PERDURE_CHAOS_SECONDS: String(minutesOf(minutes) * 60),
  ...(seed === undefined ? {} : { PERDURE_SEED: seed })
})
