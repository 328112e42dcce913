import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Hint } from "perdure/Store"
import type { Suite } from "../Backend.ts"

const hints: ReadonlyArray<Hint> = [
  { _tag: "Due", name: "it's \"due\" \u{1F600}" },
  { _tag: "Done", workflowId: "w\\1" },
  { _tag: "Revoked", incarnation: "i" }
]

export const hinting: Suite = (claim) => {
  claim("a hint that is sent again and again reaches another client", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      for (const hint of hints) {
        const heard = yield* Effect.forkChild(
          other.store.hints.pipe(
            Stream.filter((one) => JSON.stringify(one) === JSON.stringify(hint)),
            Stream.runHead
          )
        )
        const sending = yield* Effect.forkChild(Effect.repeat(given.store.hint([hint]), Schedule.spaced(20)))
        yield* Fiber.join(heard)
        yield* Fiber.interrupt(sending)
      }
    }), "postgres")

  claim("sending hints never fails, however many, however long", ({ store }) =>
    Effect.gen(function*() {
      yield* store.hint([])
      yield* store.hint(hints)
      yield* store.hint(Array.from({ length: 2_000 }, (_, index) => ({
        _tag: "Done",
        workflowId: `${index} ${"\u00e9".repeat(250)}`
      })))
      assert.isAbove(yield* store.now, 0)
    }))
}
