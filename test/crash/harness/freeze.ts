/** SIGSTOP, so that the others can go on. */
import * as Effect from "effect/Effect"
import { Store } from "perdure/Store"
import type { Program } from "./Program.ts"

/**
 * Freezes it where it does not keep the database from everybody: a process that is frozen within a write transaction
 * holds a SQLite file for as long as it is. Returns when it was.
 */
export const freeze = Effect.fnUntraced(function*(program: Program) {
  const store = yield* Store
  while (true) {
    program.signal("SIGSTOP")
    const stoppedAt = Date.now()
    const written = yield* Effect.timeoutOption(store.adjustClock(0), "1 second")
    if (written._tag === "Some") return stoppedAt
    program.signal("SIGCONT")
    yield* program.ask({ do: "counters" })
  }
})
