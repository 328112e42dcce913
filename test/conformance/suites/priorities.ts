/** Priorities: who comes first in a queue, and that nobody waits for ever where the queue is ageing. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { release } from "../builders.ts"
import { advance } from "../builders.ts"
import { enqueue, finish, limits, queued, takeIds, withQueue } from "../queues.ts"
import { cancel, recorded, rounds } from "../verbs.ts"

export const priorities: Suite = (claim) => {
  claim(
    "higher comes first, none at all last, and of equal ones the first enqueued",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [
          queued("none"),
          queued("low", { priority: 1 }),
          queued("top", { priority: 2_147_483_647 })
        ])
        yield* enqueue(store, [queued("high", { priority: 10 }), queued("also low", { priority: 1 })])
        yield* enqueue(store, [queued("also high", { priority: 10 }), queued("also none")])
        const order = ["top", "high", "also high", "low", "also low", "none", "also none"]
        assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 3 }), order.slice(0, 3))
        assert.deepStrictEqual(yield* takeIds(store, "i"), order.slice(3))
      })
  )

  claim(
    "what comes late with a higher priority overtakes all that wait, over all names",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        const served = [{ name: "Order", version: "1" }, { name: "Other", version: "1" }]
        yield* enqueue(store, rounds(30).map((index) => queued(`w${index}`, { priority: 2 })))
        assert.deepStrictEqual(yield* takeIds(store, "i", { served }), ["w0"])
        yield* enqueue(store, [queued("urgent", { priority: 3 }, { name: "Other" })])
        yield* finish(store, "i", ["w0"])
        assert.deepStrictEqual(yield* takeIds(store, "i", { served }), ["urgent"])
      })
  )

  claim(
    "a new priority moves what waits, and its place among equals is by when it was enqueued",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, ["a", "b", "c", "d"].map((id, index) => queued(id, { priority: index === 3 ? 5 : 1 })))
        assert.strictEqual(yield* store.setPriority("b", 5), "changed")
        assert.strictEqual(yield* store.setPriority("c", 2), "changed")
        assert.strictEqual((yield* store.get("b"))!.priority, 5)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["b", "d", "c", "a"])
        assert.strictEqual(yield* store.setPriority("a", 9), "started")
        yield* finish(store, "i", ["a"])
        assert.deepStrictEqual([yield* store.setPriority("a", 9), yield* store.setPriority("x", 9)], [
          "started",
          "unknown"
        ])
        assert.strictEqual((yield* store.get("a"))!.priority, 1)
      })
  )

  claim(
    "a new priority of a delayed one counts once it waits, and stays when it is handed back",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, [queued("late", {}, { delayMs: 1_000 }), queued("a"), queued("b")])
        assert.strictEqual(yield* store.setPriority("late", 7), "changed")
        yield* store.adjustClock(1_001)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["late"])
        yield* recorded(store, advance("late", 1, { end: release }))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["late"])
      })
  )

  claim("in a queue that is ageing, time makes up for priority", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { ageingMs: 1_000 })
      yield* enqueue(store, [queued("old")])
      yield* store.adjustClock(4_000)
      yield* enqueue(store, [queued("soon", { priority: 3 })])
      yield* enqueue(store, [queued("now", { priority: 30 })])
      yield* enqueue(store, [queued("top", { priority: 2_147_483_647 })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["top", "now", "old", "soon"])
    }))

  claim("a new priority in an ageing queue counts from when it was enqueued", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { ageingMs: 1_000 })
      yield* enqueue(store, [queued("old", { priority: 9 })])
      yield* store.adjustClock(4_000)
      yield* enqueue(store, [queued("young", { priority: 9 })])
      yield* store.setPriority("old", 6)
      assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 1 }), ["old"])
      yield* enqueue(store, [queued("younger", { priority: 9 })])
      yield* store.setPriority("younger", 100)
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["younger", "young"])
    }))

  claim("a change of the ageing orders anew what waits", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [queued("old"), queued("late", { priority: 3 }, { delayMs: 4_000 })])
      yield* store.adjustClock(4_000)
      yield* enqueue(store, [queued("young", { priority: 3 })])
      yield* store.setQueue("q", { limits: limits({ ageingMs: 1_000 }) })
      assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 1 }), ["old"])
      yield* cancel(store, ["young", "late"])
      yield* enqueue(store, [queued("a"), queued("b", { priority: 1 })])
      yield* store.setQueue("q", { limits: null })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["b", "a"])
    }))

  claim(
    "a change of the ageing counts also for what runs meanwhile and is handed back",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [queued("back")])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["back"])
        yield* store.setQueue("q", { limits: limits({ ageingMs: 1_000 }) })
        yield* enqueue(store, [queued("urgent", { priority: 60 })])
        yield* recorded(store, advance("back", 1, { end: release }))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["urgent", "back"])
      })
  )

  claim(
    "a position counts all that wait before it in the queue, of whatever name and version",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, [
          queued("b1", {}, { name: "B" }),
          queued("a1", {}, { name: "A" }),
          queued("later", {}, { name: "A", version: "2" }),
          queued("a2", { priority: 1 }, { name: "A" }),
          queued("c1", {}, { name: "C" })
        ])
        yield* enqueue(store, [queued("delayed", {}, { delayMs: 60_000 })])
        const positions = (limit: number) =>
          Effect.forEach(["a2", "b1", "a1", "later", "c1", "delayed"], (id) => store.position(id, limit))
        assert.deepStrictEqual(yield* positions(100), [0, 1, 2, 3, 4, null])
        assert.deepStrictEqual(yield* positions(3), [0, 1, 2, 3, 3, null])
        assert.deepStrictEqual(yield* positions(0), [0, 0, 0, 0, 0, null])
      })
  )
}
