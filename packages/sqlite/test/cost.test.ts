/**
 * What is read: nothing here may grow with what is not asked for. Hunted: a look that begins anew for each that it finds.
 */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { type QueueLimits, Store } from "perdure/Store"
import { asking, rowsOf } from "./asked.ts"
import { start } from "./operations.ts"

const memory = Layer.fresh(SqliteStore.layer({ filename: ":memory:" }))
const test = (name: string, body: Effect.Effect<void, unknown, Store | SqlClient>) =>
  it.effect(name, () => Effect.provide(body, memory))

const limits = (given: Partial<QueueLimits>): QueueLimits => ({
  concurrency: null,
  executorConcurrency: null,
  rateLimit: null,
  partitioned: null,
  ageingMs: null,
  ...given
})

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** In the queue `q`. */
const queued = (workflowId: string, partitionKey: string | null = null) =>
  start(workflowId, {
    owner: null,
    queue: { queue: "q", priority: 0, partitionKey, deduplicationId: null, debounce: null }
  })

const served = [{ name: "Order", version: "1" }]

const claim = (limit: number) =>
  Effect.flatMap(
    Store,
    (store) => store.claim({ incarnation: "A", served, queues: null, limit })
  )

const claimedIds = (answer: Effect.Success<ReturnType<typeof claim>>) => answer.claimed.map(({ row }) => row.workflowId)

describe("a claim of a partitioned queue", () => {
  /** Each of this many keys has one workflow in memory and room for another, but not in the same executor. */
  const keys = 100
  const begin = Effect.gen(function*() {
    const store = yield* Store
    yield* store.join({ incarnation: "A", executorId: "local", version: "1" }, 60_000)
    const partitioned = { concurrency: 2, executorConcurrency: 1, rateLimit: null }
    yield* store.registerQueue("q", limits({ partitioned }))
    const enqueue = (from: number, to: number) =>
      store.write(numbers(to - from).flatMap((i) => [0, 1, 2].map((n) => queued(`${from + i}-${n}`, `k${from + i}`))))
    yield* enqueue(0, keys)
    assert.lengthOf((yield* claim(keys)).claimed, keys)
    return { enqueue }
  })

  test(
    "reads the heads that may not start here once, however many it takes",
    Effect.gen(function*() {
      const { enqueue } = yield* begin
      yield* enqueue(keys, keys + 20)
      const [one, askedForOne] = yield* asking(claim(1))
      assert.deepStrictEqual(claimedIds(one), [`${keys}-0`])
      const [more, asked] = yield* asking(claim(10))
      assert.deepStrictEqual(claimedIds(more), numbers(10).map((i) => `${keys + 1 + i}-0`))
      // Rows that each of the nine more costs by itself.
      assert.isAtMost(rowsOf(asked) - rowsOf(askedForOne), 9 * 25)
      assert.isAtMost(rowsOf(askedForOne), 3 * keys)
    })
  )

  test(
    "that finds none that may start reads no more than that",
    Effect.gen(function*() {
      yield* begin
      const [none, asked] = yield* asking(claim(10))
      assert.deepStrictEqual(claimedIds(none), [])
      assert.isAtMost(asked.length + rowsOf(asked), 100)
    })
  )

  test(
    "takes what is behind a head in its turn",
    Effect.gen(function*() {
      const store = yield* Store
      yield* store.join({ incarnation: "A", executorId: "local", version: "1" }, 60_000)
      yield* store.registerQueue(
        "q",
        limits({ partitioned: { concurrency: 3, executorConcurrency: 2, rateLimit: null } })
      )
      yield* store.write(["a0 a", "a1 a", "b0 b", "a2 a", "b1 b", "c0 c"].map((one) => {
        const [id, key] = one.split(" ")
        return queued(id!, key!)
      }))
      assert.deepStrictEqual(claimedIds(yield* claim(4)), ["a0", "a1", "b0", "b1"])
      assert.deepStrictEqual(claimedIds(yield* claim(4)), ["c0"])
    })
  )
})
