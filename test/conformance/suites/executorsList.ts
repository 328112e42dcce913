import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { join, lapse, leaseMs, startDone, startOwned, sweep } from "../verbs.ts"

const statesOf = (store: StoreService) =>
  Effect.map(store.executors, (rows) => rows.map(({ incarnation, owned, state }) => [incarnation, state, owned]).sort())

export const executorsList: Suite = (claim) => {
  claim(
    "executors are listed with their lease, what they own and what they run",
    ({ store }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* store.executors, [])
        const joined = yield* store.join({ incarnation: "i", executorId: "one", version: "7" }, leaseMs)
        yield* startOwned(store, "a", "i")
        yield* startOwned(store, "b", "i")
        yield* startDone(store, "c", "i")
        const [row] = yield* store.executors
        assert.deepStrictEqual(row, {
          incarnation: "i",
          executorId: "one",
          version: "7",
          state: "alive",
          leaseUntil: joined + leaseMs,
          owned: 2,
          served: [],
          queues: null
        })
        const served = [{ name: "Order", version: "7" }, { name: "é", version: "" }]
        yield* store.serve("i", served, ["q", "r"])
        assert.deepInclude((yield* store.executors)[0], { served, queues: ["q", "r"] })
        yield* store.serve("i", [], null)
        assert.deepInclude((yield* store.executors)[0], { served: [], queues: null })
        yield* store.serve("i", served, [])
        yield* store.heartbeat("i", leaseMs, [])
        yield* store.join({ incarnation: "i", executorId: "one", version: "7" }, leaseMs)
        assert.deepInclude((yield* store.executors)[0], { served, queues: [] })
        yield* store.serve("nobody", served, null)
        assert.lengthOf(yield* store.executors, 1)
      })
  )

  claim(
    "one whose lease has ended is lapsed, also before anybody has swept, and is forgotten after an hour",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* join(store, "left")
        yield* startOwned(store, "w", "i")
        yield* store.leave("left")
        yield* lapse(store)
        yield* join(store, "j")
        assert.deepStrictEqual(yield* statesOf(store), [["i", "lapsed", 1], ["j", "alive", 0], ["left", "lapsed", 0]])
        yield* sweep(store)
        assert.deepStrictEqual(yield* statesOf(store), [["i", "lapsed", 0], ["j", "alive", 0], ["left", "lapsed", 0]])
        yield* store.adjustClock(3_600_000 + leaseMs)
        yield* join(store, "k")
        assert.deepStrictEqual(
          (yield* statesOf(store)).filter(([incarnation]) => incarnation !== "j"),
          [["k", "alive", 0]]
        )
      })
  )

  claim("one that lapsed long ago is listed while it still owns something", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* store.adjustClock(5 * 3_600_000)
      assert.deepStrictEqual(yield* statesOf(store), [["i", "lapsed", 1]])
      yield* sweep(store)
      assert.deepStrictEqual(yield* statesOf(store), [])
    }))
}
