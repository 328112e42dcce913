/** SIGSTOP, so that the others can go on. */
import * as Effect from "effect/Effect"
import { Store } from "perdure/Store"
import type { Program } from "./Program.ts"

/**
 * Freezes it where it neither begins a step nor keeps the database from everybody: a process that is frozen just where a
 * step begins goes on there, whoever owns the workflow by then, and one that is frozen within a write transaction holds a
 * SQLite file for as long as it is. Returns when it was, by the same clock as its side effects.
 */
export const freeze = Effect.fnUntraced(function*(program: Program) {
  const store = yield* Store
  while (true) {
    program.tell({ do: "freeze" })
    const { at } = yield* program.hear("freezing")
    const written = yield* Effect.timeoutOption(store.adjustClock(0), "1 second")
    if (written._tag === "Some") return at as number
    program.signal("SIGCONT")
    yield* program.hear("freeze")
  }
})
