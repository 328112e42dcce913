/** Delayed starts. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { start } from "../builders.ts"
import { claimQueued, enqueue, place, queued, takeIds, withQueue } from "../queues.ts"
import { cancel, join, rounds, submit } from "../verbs.ts"

export const delays: Suite = (claim) => {
  for (const queue of [null, place()]) {
    const where = queue === null ? "outside of queues" : "in a queue"
    const delayed = (workflowId: string, delayMs: number) => start({ workflowId, queue, delayMs })

    claim(
      `${where} a delayed start is DELAYED until its time, and a claim tells when that is`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store)
          const one = delayed("w", 20_000)
          yield* enqueue(store, [one, delayed("later", 1_000_000_000_000)])
          const row = (yield* store.get("w"))!
          assert.deepStrictEqual([row.status, row.epoch, row.wakeAt], ["DELAYED", 0, row.createdAt + 20_000])
          const { claimed, nextDueAt } = yield* claimQueued(store, "i")
          assert.deepStrictEqual([claimed, nextDueAt], [[], row.wakeAt])
          assert.deepStrictEqual(yield* submit(store, one), { _tag: "Started" })
          yield* store.adjustClock(nextDueAt! - (yield* store.now))
          const { claimed: [due] } = yield* claimQueued(store, "i")
          assert.deepStrictEqual([due!.row.workflowId, due!.row.status, due!.row.epoch], ["w", "PENDING", 1])
          assert.isAtLeast(due!.row.startedAt!, row.wakeAt!)
          assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        })
    )

    claim(`${where} a delay can be changed until it is over`, ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [delayed("w", 1_000_000), delayed("x", 10_000)])
        assert.strictEqual(yield* store.setDelay("x", 2_000_000), "changed")
        yield* store.adjustClock(11_000)
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        assert.strictEqual(yield* store.setDelay("w", 0), "changed")
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["w"])
        assert.deepStrictEqual(
          [yield* store.setDelay("w", 5), yield* store.setDelay("unknown", 5)],
          ["started", "unknown"]
        )
        yield* cancel(store, ["x"])
        assert.strictEqual(yield* store.setDelay("x", 0), "started")
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      }))

    claim(
      `${where} a delay is over at its time, claimed or not: it is not changed any more`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store)
          yield* enqueue(store, [delayed("w", 1_000)])
          yield* store.adjustClock(1_001)
          assert.strictEqual(yield* store.setDelay("w", 1_000_000), "started")
          assert.deepStrictEqual(yield* takeIds(store, "i"), ["w"])
        })
    )

    claim(
      `${where} a delayed one is cancelled, expires, and is resumed without its delay`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store)
          yield* enqueue(store, [delayed("w", 1_000_000), { ...delayed("x", 1_000_000), timeoutMs: 1_000 }])
          yield* cancel(store, ["w"])
          yield* store.adjustClock(1_001)
          assert.deepStrictEqual((yield* store.sweep(10)).expired, ["x"])
          yield* store.resume(["w", "x"])
          assert.strictEqual((yield* store.get("w"))!.wakeAt === null, queue !== null)
          assert.sameMembers(yield* takeIds(store, "i"), ["w", "x"])
        })
    )
  }

  claim("a delayed one takes its place in the queue when its delay is over", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      const late = [300, 100, 200].map((delayMs) => queued(`after ${delayMs}`, {}, { delayMs }))
      yield* enqueue(store, [...late, queued("a"), queued("b")])
      yield* store.adjustClock(301)
      yield* enqueue(store, [queued("urgent", { priority: 1 })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["urgent", "a", "b", "after 100", "after 200", "after 300"])
    }))

  claim("what waits without a delay is not moved by one", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [queued("w")])
      assert.strictEqual(yield* store.setDelay("w", 1_000_000), "started")
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["w"])
    }))

  claim("many that become due at the same time all start, in order", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 50 })
      yield* join(store, "j")
      const ids = rounds(50).map((index) => `${(index * 7) % 50}`)
      yield* enqueue(store, ids.map((id) => queued(id, {}, { delayMs: 1_000 })))
      yield* store.adjustClock(1_001)
      const taken = [...yield* takeIds(store, "i", { limit: 20 }), ...yield* takeIds(store, "j")]
      assert.deepStrictEqual(taken, ids)
    }))
}
