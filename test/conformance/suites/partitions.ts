/** Partitioned queues: one of a key after the other, different keys beside each other. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, block, record, release, suspend } from "../builders.ts"
import { drain, enqueue, executorsOf, finish, limits, perKey, queued, takeIds, withQueue } from "../queues.ts"
import { cancel, join, lapse, recorded, rounds, submit, sweep } from "../verbs.ts"

const at = (workflowId: string, partitionKey: string, rest = {}) => queued(workflowId, { partitionKey, ...rest })

export const partitions: Suite = (claim) => {
  claim(
    "of one key one runs at a time, in order; different keys run beside each other",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey() })
        yield* enqueue(store, [at("z1", "x"), at("b1", "y"), at("a2", "x"), at("a3", "x"), at("b2", "y")])
        assert.strictEqual((yield* store.get("z1"))!.partitionKey, "x")
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["z1", "b1"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        yield* finish(store, "i", ["z1"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a2"])
        yield* recorded(store, advance("b1", 1, { end: suspend() }))
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        yield* finish(store, "i", ["a2"])
        yield* cancel(store, ["b1"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a3", "b2"])
      })
  )

  claim("so many of a key as its limit allows run beside each other", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { partitioned: perKey({ concurrency: 3 }) })
      yield* enqueue(store, rounds(7).map((index) => at(`${index}`, "x")))
      assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 2 }), ["0", "1"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["2"])
      yield* finish(store, "i", ["0", "2"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["3", "4"])
      yield* store.setQueue("q", { limits: limits({ partitioned: perKey({ concurrency: 4 }) }) })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["5"])
    }))

  claim("in memory of one executor are no more of a key than its limit there", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { partitioned: perKey({ concurrency: 3, executorConcurrency: 1 }) })
      yield* join(store, "j")
      yield* enqueue(store, [...rounds(4).map((index) => at(`x${index}`, "x")), at("y0", "y")])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0", "y0"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      assert.deepStrictEqual(yield* takeIds(store, "j"), ["x1"])
      yield* recorded(store, advance("x0", 1, { end: suspend() }))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x2"])
      yield* finish(store, "j", ["x1"])
      assert.deepStrictEqual(yield* takeIds(store, "j"), ["x3"])
    }))

  claim(
    "only the first of a key may start: one without code holds its own key up, and no other",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey({ concurrency: 5 }) })
        yield* enqueue(store, [
          at("x0", "x"),
          queued("x1", { partitionKey: "x" }, { name: "Unserved" }),
          at("x2", "x"),
          queued("y0", { partitionKey: "y" }, { name: "Unserved" }),
          at("y1", "y"),
          at("z0", "z")
        ])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0", "z0"])
        yield* cancel(store, ["x1"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x2"])
        const served = [{ name: "Order", version: "1" }, { name: "Unserved", version: "1" }]
        assert.deepStrictEqual(yield* takeIds(store, "i", { served }), ["y0", "y1"])
      })
  )

  claim("the queue's own limits hold over all keys", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 3, executorConcurrency: 2, partitioned: perKey() })
      yield* join(store, "j")
      yield* enqueue(store, rounds(6).map((index) => at(`${index}`, `key ${index}`)))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["0", "1"])
      assert.deepStrictEqual(yield* takeIds(store, "j"), ["2"])
      yield* finish(store, "i", ["0"])
      assert.deepStrictEqual([yield* takeIds(store, "j"), yield* takeIds(store, "i")], [["3"], []])
    }))

  claim("priority orders within a key, and between the first ones of the keys", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 1, partitioned: perKey() })
      yield* enqueue(store, [
        at("x low", "x"),
        at("y low", "y", { priority: 1 }),
        at("x high", "x", { priority: 9 }),
        at("z", "z", { priority: 5 })
      ])
      const taken: Array<string> = []
      for (const _ of rounds(4)) {
        const ids = yield* takeIds(store, "i")
        taken.push(...ids)
        yield* finish(store, "i", ids)
      }
      assert.deepStrictEqual(taken, ["x high", "z", "y low", "x low"])
      yield* enqueue(store, [at("a", "x"), at("b", "x")])
      yield* store.setPriority("b", 1)
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["b"])
    }))

  claim(
    "of one key no more are in memory of one executor than its limit; what wakes waits for a place there",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey({ concurrency: 3, executorConcurrency: 1 }) })
        yield* join(store, "j")
        yield* enqueue(store, [at("x0", "x"), at("x1", "x"), at("x2", "x"), at("y0", "y")])
        const sleep = (id: string, epoch: number) =>
          Effect.flatMap(store.now, (now) => recorded(store, advance(id, epoch, { end: suspend({ wakeAt: now - 1 }) })))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0", "y0"])
        yield* sleep("x0", 1)
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["x0"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x1"])
        yield* sleep("x0", 2)
        // The key of x0 is full in i, that of y0 is not.
        yield* sleep("y0", 1)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["y0"])
        yield* sleep("x1", 1)
        // Of two that are due the first one.
        assert.deepStrictEqual([yield* takeIds(store, "i"), yield* takeIds(store, "i")], [["x0"], []])
        assert.deepStrictEqual([yield* takeIds(store, "j"), yield* takeIds(store, "j")], [["x1"], []])
        yield* finish(store, "i", ["x0"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x2"])
      })
  )

  claim(
    "what is lost or handed back comes first again in its key, and nothing overtakes it",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey() })
        yield* enqueue(store, [at("x0", "x"), at("x1", "x"), at("y0", "y"), at("y1", "y")])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0", "y0"])
        yield* recorded(store, advance("y0", 1, { records: [record(0)], end: release }))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["y0"])
        yield* lapse(store)
        yield* join(store, "j")
        assert.deepStrictEqual(yield* takeIds(store, "j"), [])
        assert.strictEqual((yield* sweep(store)).released, 2)
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["x0", "y0"])
        yield* store.leave("j")
        yield* join(store, "k")
        assert.deepStrictEqual(yield* takeIds(store, "k"), ["x0", "y0"])
        yield* finish(store, "k", ["x0", "y0"])
        assert.deepStrictEqual(yield* takeIds(store, "k"), ["x1", "y1"])
      })
  )

  claim(
    "a blocked one gives its key free; cancelled, expired and dead ones do too",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey() })
        yield* enqueue(store, [
          queued("dead", { partitionKey: "x" }, { maxRecoveryAttempts: 0 }),
          queued("late", { partitionKey: "x" }, { timeoutMs: 1 }),
          at("blocked", "x"),
          at("waiting", "x"),
          at("last", "x")
        ])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["dead"])
        yield* lapse(store)
        yield* join(store, "j")
        yield* sweep(store)
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["blocked"])
        yield* recorded(store, advance("blocked", 1, { end: block }))
        yield* cancel(store, ["waiting"])
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["last"])
        yield* store.resume(["blocked"])
        assert.deepStrictEqual(yield* takeIds(store, "j"), [])
        yield* finish(store, "j", ["last"])
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["blocked"])
        yield* finish(store, "j", ["blocked"])
        assert.strictEqual(yield* store.deleteQueue("q"), "deleted")
      })
  )

  claim(
    "a deduplication id and a key go together, and a delayed one waits for its turn in its key",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey() })
        yield* enqueue(store, [
          queued("late", { partitionKey: "x", deduplicationId: "d" }, { delayMs: 30_000 }),
          at("first", "x")
        ])
        assert.strictEqual((yield* submit(store, at("again", "y", { deduplicationId: "d" })))._tag, "Duplicate")
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["first"])
        yield* store.adjustClock(30_001)
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        yield* finish(store, "i", ["first"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["late"])
      })
  )

  for (const concurrency of [1, 3]) {
    claim(
      `four claimers never overlap more than ${concurrency} of a key, and each key keeps its order`,
      (given) =>
        Effect.gen(function*() {
          yield* given.store.registerQueue("q", limits({ partitioned: perKey({ concurrency }) }))
          const clients = yield* executorsOf(given, 4)
          const keys = ["hot", "hot", "hot", "warm", "a", "b"]
          const items = rounds(150).map((index) => ({ id: `${(index * 77) % 150}`, key: keys[index % keys.length]! }))
          const keyOf = new Map(items.map(({ id, key }) => [id, key]))
          for (const part of rounds(3)) {
            yield* enqueue(given.store, items.slice(part * 50, part * 50 + 50).map(({ id, key }) => at(id, key)))
          }
          const began = new Map<string, Array<string>>()
          const running = new Map<string, number>()
          const count = (id: string, by: number) => {
            const key = keyOf.get(id)!
            const now = (running.get(key) ?? 0) + by
            running.set(key, now)
            assert.isAtMost(now, concurrency, key)
          }
          yield* drain(clients, items.length, {
            began: (id) => {
              count(id, 1)
              began.set(keyOf.get(id)!, [...began.get(keyOf.get(id)!) ?? [], id])
            },
            ended: (id) => count(id, -1)
          })
          for (const [key, ids] of began) {
            const expected = items.filter((item) => item.key === key).map(({ id }) => id)
            if (concurrency === 1) assert.deepStrictEqual(ids, expected, key)
            else assert.sameMembers(ids, expected, key)
          }
          assert.strictEqual(yield* given.store.deleteQueue("q"), "deleted")
        })
    )
  }

  claim(
    "keys that are filled, cancelled and given new priorities while they are claimed leave nothing waiting",
    (given) =>
      Effect.gen(function*() {
        yield* given.store.registerQueue("q", limits({ partitioned: perKey() }))
        const clients = yield* executorsOf(given, 3)
        const ids = rounds(90).map((index) => `w${index}`)
        const other = (yield* given.another).store
        const gone = new Set<string>()
        const disturb = Effect.forEach(ids, (id, index) =>
          index % 3 === 0
            ? other.setPriority(id, (index % 5) + 1)
            : index % 3 === 1
            ? Effect.map(cancel(other, [id]), ([answer]) => {
              if (answer!.result === "cancelled") gone.add(id)
            })
            : Effect.void)
        const fill = Effect.forEach(ids, (id, index) => enqueue(given.store, [at(id, `k${index % 4}`)]))
        yield* Effect.all([fill, Effect.andThen(Effect.yieldNow, disturb)], { concurrency: "unbounded" })
        const left = ids.filter((id) => !gone.has(id))
        const began: Array<string> = []
        yield* drain(clients, left.length, { began: (id) => void began.push(id), ended: () => {} })
        assert.sameMembers(began, left)
      })
  )

  claim("a queue that becomes partitioned, or no longer is, loses nothing", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { partitioned: perKey() })
      yield* enqueue(store, [at("x0", "x"), at("x1", "x"), at("y0", "y")])
      assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 1 }), ["x0"])
      yield* store.setQueue("q", { limits: limits() })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x1", "y0"])
      yield* enqueue(store, [queued("plain"), at("z0", "z"), at("z1", "z")])
      yield* store.setQueue("q", { limits: null })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["plain", "z0"])
      yield* finish(store, "i", ["x0", "x1", "y0", "plain", "z0"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["z1"])
    }))

  claim(
    "what began without its key counts by it once its queue has partitions again, however many keys there are",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey() })
        yield* enqueue(
          store,
          rounds(2_100).map((n) => queued(`aside ${n}`, { partitionKey: `key ${n}` }, { name: "Unserved" }))
        )
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        yield* store.setQueue("q", { limits: limits() })
        yield* enqueue(store, [at("x0", "a"), at("x1", "a")])
        assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 1 }), ["x0"])
        yield* store.setQueue("q", { limits: null })
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        yield* finish(store, "i", ["x0"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x1"])
      })
  )

  claim(
    "what began without its key counts by it as it wakes, also where nothing waits in its queue",
    ({ store }) =>
      Effect.gen(function*() {
        const of = (id: string) => recorded(store, advance(id, 1, { end: suspend({ wakeAt: 1 }) }))
        yield* withQueue(store, { partitioned: perKey({ concurrency: 3, executorConcurrency: 1 }) })
        yield* store.setQueue("q", { limits: limits() })
        yield* enqueue(store, [at("x0", "x"), at("x1", "x"), at("y0", "y"), at("y1", "y")])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0", "x1", "y0", "y1"])
        yield* store.setQueue("q", { limits: null })
        yield* Effect.forEach(["x1", "y0", "y1"], of)
        // x0 is in memory
        assert.deepStrictEqual([yield* takeIds(store, "i"), yield* takeIds(store, "i")], [["y0"], []])
        yield* finish(store, "i", ["x0"])
        assert.deepStrictEqual([yield* takeIds(store, "i"), yield* takeIds(store, "i")], [["x1"], []])
      })
  )

  claim("what waits keeps its place when its queue has no partitions any more", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { partitioned: perKey() })
      yield* enqueue(store, [at("x0", "x"), at("y0", "y"), at("x1", "x")])
      yield* store.setQueue("q", { limits: limits({ concurrency: 1 }) })
      yield* enqueue(store, [queued("plain"), at("x2", "x")])
      const taken: Array<string> = []
      for (const _ of rounds(5)) {
        const ids = yield* takeIds(store, "i")
        taken.push(...ids)
        yield* finish(store, "i", ids)
      }
      assert.deepStrictEqual(taken, ["x0", "y0", "x1", "plain", "x2"])
    }))

  claim(
    "what was enqueued without a key is of one partition when its queue gets some, whether it waits, is delayed or runs",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [queued("a"), queued("b"), queued("c"), queued("late", {}, { delayMs: 30_000 })])
        assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 1 }), ["a"])
        yield* store.setQueue("q", { limits: limits({ partitioned: perKey() }) })
        yield* enqueue(store, [at("x", "x"), queued("d")])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["x"])
        yield* store.adjustClock(30_001)
        for (const [ended, next] of [["a", "b"], ["b", "c"], ["c", "d"], ["d", "late"]] as const) {
          yield* finish(store, "i", [ended])
          assert.deepStrictEqual(yield* takeIds(store, "i"), [next])
        }
      })
  )

  claim(
    "a position counts those that wait before it with its key, by priority, and no others",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { partitioned: perKey() })
        yield* enqueue(store, [
          at("x0", "x"),
          at("x1", "x"),
          at("y0", "y"),
          at("x2", "x"),
          at("first", "x", { priority: 5 })
        ])
        const positions = (limit = 100) =>
          Effect.forEach(["x0", "x1", "x2", "y0", "first", "nobody"], (id) => store.position(id, limit))
        assert.deepStrictEqual(yield* positions(), [1, 2, 3, 0, 0, null])
        assert.deepStrictEqual(yield* positions(2), [1, 2, 2, 0, 0, null])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["first", "y0"])
        assert.deepStrictEqual(yield* positions(), [0, 1, 2, null, null, null])
      })
  )
}
