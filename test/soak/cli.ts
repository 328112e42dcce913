/** `npm run soak -- --minutes 60`: an executor on each store, at work for four fifths of the time and idle for the rest. */
import { parseArgs } from "node:util"
import { minutesOf, run } from "../longRun.ts"

const { values: { minutes } } = parseArgs({ options: { minutes: { type: "string", default: "60" } } })
run(["test/soak"], { PERDURE_SOAK_MINUTES: String(minutesOf(minutes)) })
