/** Rate limits: at most so many starts in any period, on the database's clock. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { QueueLimits, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, suspend } from "../builders.ts"
import { claimQueued, enqueue, executorsOf, finish, limits, perKey, queued, takeIds } from "../queues.ts"
import { claimIds, recorded, rounds } from "../verbs.ts"

const periodMs = 3_600_000
const rate = (limit: number) => ({ limit, periodMs })

/** The queue, and `i` with a lease that outlasts the windows. */
const withQueue = (store: StoreService, given: Partial<QueueLimits>) =>
  Effect.andThen(
    store.join({ incarnation: "i", executorId: "i", version: "1" }, 100 * periodMs),
    store.registerQueue("q", limits(given))
  )

export const rates: Suite = (claim) => {
  claim(
    "no more than the limit start in any period, and a claim tells when the next one may",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { rateLimit: rate(3) })
        assert.isNull(yield* store.rateFreeAt("q"))
        yield* enqueue(store, rounds(10).map((index) => queued(`${index}`)))
        assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 2 }), ["0", "1"])
        const { startedAt } = (yield* store.get("0"))!
        yield* finish(store, "i", ["0", "1"])
        yield* store.adjustClock(1_000_000)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["2"])
        const { claimed, nextDueAt } = yield* claimQueued(store, "i")
        assert.deepStrictEqual([claimed, nextDueAt], [[], startedAt! + periodMs])
        assert.strictEqual(yield* store.rateFreeAt("q"), nextDueAt)
        yield* store.adjustClock(nextDueAt! - (yield* store.now))
        assert.isNull(yield* store.rateFreeAt("q"))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["3", "4"])
        yield* store.adjustClock(periodMs)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["5", "6", "7"])
      })
  )

  claim("the claim that uses a rate up tells when the rest may start", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { rateLimit: rate(2) })
      yield* enqueue(store, rounds(3).map((index) => queued(`${index}`)))
      const { claimed, nextDueAt } = yield* claimQueued(store, "i")
      const { startedAt } = (yield* store.get("0"))!
      assert.deepStrictEqual([claimed.length, nextDueAt], [2, startedAt! + periodMs])
      yield* store.adjustClock(nextDueAt! - (yield* store.now))
      const last = yield* claimQueued(store, "i")
      assert.deepStrictEqual([last.claimed.length, last.nextDueAt], [1, null])
    }))

  claim(
    "the claim that uses the rate of a partitioned queue up tells when the rest may start",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { rateLimit: rate(1), partitioned: perKey() })
        yield* enqueue(store, [queued("x", { partitionKey: "x" }), queued("y", { partitionKey: "y" })])
        const { nextDueAt } = yield* claimQueued(store, "i")
        assert.strictEqual(nextDueAt, (yield* store.get("x"))!.startedAt! + periodMs)
      })
  )

  claim(
    "what wakes has started before: it counts no more, and waits for no window",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { rateLimit: rate(1) })
        yield* enqueue(store, [queued("a"), queued("b")])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        yield* recorded(store, advance("a", 1, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      })
  )

  claim("nothing of its names waiting: no window is waited for", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { rateLimit: rate(1) })
      yield* enqueue(store, [queued("a"), queued("other", {}, { name: "Unserved" })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
      assert.isNull((yield* claimQueued(store, "i")).nextDueAt)
    }))

  claim("each key has a window of its own", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { partitioned: perKey({ concurrency: 10, rateLimit: rate(2) }) })
      yield* enqueue(store, rounds(4).map((index) => queued(`x${index}`, { partitionKey: "x" })))
      yield* enqueue(store, rounds(1).map((index) => queued(`y${index}`, { partitionKey: "y" })))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0", "x1", "y0"])
      const { startedAt } = (yield* store.get("x0"))!
      const { claimed, nextDueAt } = yield* claimQueued(store, "i")
      assert.deepStrictEqual([claimed, nextDueAt], [[], startedAt! + periodMs])
      yield* enqueue(store, [queued("y1", { partitionKey: "y" })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["y1"])
      yield* finish(store, "i", ["x0", "x1", "y0", "y1"])
      yield* store.adjustClock(nextDueAt! - (yield* store.now))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x2", "x3"])
    }))

  claim(
    "what no window holds any more is not kept, though its key never comes again",
    ({ kind, sql, store, target }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey({ rateLimit: { limit: 1, periodMs: 1_000 } }) })
        for (const index of rounds(100)) {
          yield* enqueue(store, [queued(`${index}`, { partitionKey: `key ${index}` })])
          assert.deepStrictEqual(yield* takeIds(store, "i"), [`${index}`])
          yield* store.adjustClock(2_000)
        }
        const table = target.kind === "sqlite" ? "perdure_queue_start" : `"${target.schema}".queue_start`
        assert.isBelow((yield* sql.unsafe(`SELECT 1 FROM ${table}`)).length, 10, kind)
      })
  )

  claim("a key whose window is over while its queue is full is no time to come", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 1, partitioned: perKey({ rateLimit: rate(1) }) })
      yield* enqueue(store, [queued("x0", { partitionKey: "x" }), queued("x1", { partitionKey: "x" })])
      yield* enqueue(store, [queued("y", { partitionKey: "y" })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0"])
      yield* finish(store, "i", ["x0"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["y"])
      yield* store.adjustClock(periodMs)
      const { claimed, nextDueAt } = yield* claimQueued(store, "i")
      assert.deepStrictEqual([claimed, nextDueAt], [[], null])
      yield* finish(store, "i", ["y"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x1"])
    }))

  claim("a key whose window is over waits for that of its queue", ({ store }) =>
    Effect.gen(function*() {
      const own = { limit: 1, periodMs: periodMs / 2 }
      yield* withQueue(store, { rateLimit: rate(1), partitioned: perKey({ rateLimit: own }) })
      yield* enqueue(store, [queued("x0", { partitionKey: "x" }), queued("x1", { partitionKey: "x" })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0"])
      const { startedAt } = (yield* store.get("x0"))!
      yield* finish(store, "i", ["x0"])
      yield* store.adjustClock(own.periodMs)
      const { claimed, nextDueAt } = yield* claimQueued(store, "i")
      assert.deepStrictEqual([claimed, nextDueAt], [[], startedAt! + periodMs])
    }))

  claim(
    "a rate and a concurrency both hold, and the queue's rate holds over all keys",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 2, rateLimit: rate(3), partitioned: perKey() })
        yield* enqueue(store, rounds(6).map((index) => queued(`${index}`, { partitionKey: `${index}` })))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["0", "1"])
        yield* finish(store, "i", ["0", "1"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["2"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      })
  )

  claim("a changed limit counts what has started before", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { rateLimit: rate(4) })
      yield* enqueue(store, rounds(9).map((index) => queued(`${index}`)))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["0", "1", "2", "3"])
      yield* store.setQueue("q", { limits: limits({ rateLimit: rate(2) }) })
      assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      yield* store.setQueue("q", { limits: limits({ rateLimit: rate(5) }) })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["4"])
      yield* store.setQueue("q", { limits: limits() })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["5", "6", "7", "8"])
    }))

  claim("four claimers together start no more than the limit", (given) =>
    Effect.gen(function*() {
      yield* given.store.registerQueue("q", limits({ rateLimit: rate(20) }))
      const clients = yield* executorsOf(given, 4)
      yield* enqueue(given.store, rounds(60).map((index) => queued(`${index}`)))
      const taken: Array<string> = []
      for (let round = 0; taken.length < 20 && round < 1_000; round++) {
        const claims = clients.map(({ store }, index) => claimIds(store, `i${index}`, { limit: 3 }))
        taken.push(...(yield* Effect.all(claims, { concurrency: "unbounded" })).flat())
      }
      for (const index of rounds(4)) taken.push(...(yield* takeIds(given.store, `i${index}`)))
      assert.sameMembers(taken, rounds(20).map((index) => `${index}`))
    }))
}
