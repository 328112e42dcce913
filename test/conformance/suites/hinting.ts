import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Hint, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { start } from "../builders.ts"
import { rounds, submit } from "../verbs.ts"

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
          other.store.hints("a").pipe(
            Stream.filter((one) => JSON.stringify(one) === JSON.stringify(hint)),
            Stream.runHead
          )
        )
        const sending = yield* Effect.forkChild(Effect.repeat(given.store.hint([hint], "a"), Schedule.spaced(20)))
        yield* Fiber.join(heard)
        yield* Fiber.interrupt(sending)
      }
    }), "postgres")

  claim(
    "whoever listens hears of what is done from when it is said to hear, at once",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        for (const round of rounds(10)) {
          const begun = yield* Deferred.make<void>()
          const heard = yield* Effect.forkChild(
            Stream.runHead(other.store.hints("a", Effect.asVoid(Deferred.succeed(begun, undefined)))),
            { startImmediately: true }
          )
          yield* Deferred.await(begun)
          yield* submit(given.store, start({ workflowId: `w${round}` }))
          yield* given.store.hint([{ _tag: "Due", name: "Order" }], "b")
          assert.strictEqual((yield* Fiber.join(heard))._tag, "Some")
        }
      })
  )

  claim("sending hints never fails, however many, however long", ({ store }) =>
    Effect.gen(function*() {
      yield* store.hint([], "a")
      yield* store.hint(hints, "a")
      yield* store.hint(
        Array.from({ length: 2_000 }, (_, index) => ({
          _tag: "Done",
          workflowId: `${index} ${"\u00e9".repeat(250)}`
        })),
        "a"
      )
      assert.isAbove(yield* store.now, 0)
    }))

  claim(
    "whoever sends a hint does not hear it; another listener of the same client does, once",
    (given) =>
      Effect.gen(function*() {
        const { store } = given
        // What comes the long way comes after it.
        const last = store.name === "postgres" ? (yield* given.another).store : store
        const heard: Array<string> = []
        const listen = (listener: string) =>
          Effect.forkScoped(
            Stream.runForEach(
              store.hints(listener),
              (hint) => Effect.sync(() => hint._tag === "Queue" && heard.push(`${listener} ${hint.queue}`))
            )
          )
        yield* listen("a")
        yield* listen("b")
        const until = (by: StoreService, what: string) =>
          Effect.andThen(by.hint([{ _tag: "Queue", queue: what }], "nobody"), Effect.sleep(20)).pipe(
            Effect.repeat({
              until: () => heard.includes(`a ${what}`) && heard.includes(`b ${what}`)
            })
          )
        yield* until(store, "begin")
        yield* store.hint([{ _tag: "Queue", queue: "one" }], "a")
        yield* until(last, "end")
        assert.deepStrictEqual(heard.filter((one) => one.endsWith(" one")), ["b one"])
      })
  )
}
