/**
 * What is read, and under which lock: nothing here may grow with what is not asked for. Hunted: a look that begins anew for
 * each that it finds, a walk over all that has ever ended, a search that keeps everybody from writing.
 */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import { Store } from "perdure/Store"
import { limits, place } from "../../../test/conformance/queues.ts"
import { asking, plansOf, rowsOf, watched } from "./asked.ts"
import { start } from "./operations.ts"

const memory = Layer.fresh(SqliteStore.layer({ filename: ":memory:" }))
const test = (name: string, body: Effect.Effect<void, unknown, Store | SqlClient>) =>
  it.effect(name, () => Effect.andThen(watched, Effect.provide(body, memory)))

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** In the queue `q`. */
const queued = (workflowId: string, partitionKey: string | null = null) =>
  start(workflowId, { owner: null, queue: place({ partitionKey }) })

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

/** More than are gathered for a page, all waiting in `q`, and one that ended long before. */
const crowd = Effect.fnUntraced(function*(state: "waiting" | "delayed") {
  const sql = yield* SqlClient
  const count = 20_001
  const [status, dueAt] = state === "waiting" ? ["ENQUEUED", "NULL"] : ["DELAYED", "9e15"]
  const rows = `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${count})`
  const columns = "token, name, version, payload, codec, detached, roles, max_recovery_attempts"
  const values = "'t', 'Order', '1', '{}', 'json', 0, '[]', 3"
  yield* sql.unsafe(`INSERT INTO perdure_workflow (workflow_id, status, created_at, queue, ${columns})
    ${rows} SELECT 'c' || n, '${status}', 10 + n, 'q', ${values} FROM n`)
  yield* sql.unsafe(`INSERT INTO perdure_ownership (workflow_id, name, version, epoch, phase, rest, queue)
    ${rows} SELECT 'c' || n, 'Order', '1', 0, 'run', 'release', 'q' FROM n`)
  yield* sql.unsafe(`INSERT INTO perdure_queue_item
      (seq, workflow_id, queue, name, version, state, priority, rank, enqueued_at, due_at)
    ${rows} SELECT 10 + n, 'c' || n, 'q', 'Order', '1', '${state}', 0, 0, 10 + n, CAST(${dueAt} AS INTEGER) FROM n`)
  yield* sql.unsafe(`INSERT INTO perdure_workflow (workflow_id, status, created_at, completed_at, ${columns})
    VALUES ('ended', 'SUCCESS', 1, 2, ${values})`)
  return count
})

/** All that were ever started, one after the other. */
const walksAll = /^SCAN (?:w|perdure_workflow)(?! USING (?:COVERING )?INDEX perdure_workflow_failed)/

const assertNone = (plans: ReadonlyArray<string>, pattern: RegExp) =>
  assert.deepStrictEqual(plans.filter((line) => pattern.test(line)), [])

describe("with more in queues than a page gathers", () => {
  for (const state of ["waiting", "delayed"] as const) {
    test(
      `a count of a status reads none that has ended (${state})`,
      Effect.gen(function*() {
        const store = yield* Store
        yield* store.write([start("runs"), start("due", { owner: null })])
        const count = yield* crowd(state)
        const expected = {
          ENQUEUED: state === "waiting" ? count + 1 : 1,
          DELAYED: state === "delayed" ? count : 0,
          PENDING: 1,
          BLOCKED: 0,
          DEAD_LETTER: 0
        } as const
        const all = Object.keys(expected) as ReadonlyArray<keyof typeof expected>
        for (const status of [...all.map((one) => [one]), all]) {
          const filter = { status, order: "desc", limit: 100_000 } as const
          const [found, asked] = yield* asking(store.count(filter))
          assert.strictEqual(found, status.reduce((sum, one) => sum + expected[one], 0), status.join())
          assertNone(yield* plansOf(asked), walksAll)
          // Nor where something else narrows it that no index finds.
          const [of, askedOf] = yield* asking(store.count({ ...filter, queues: ["q"], versions: ["1"] }))
          assert.strictEqual(of, status.includes(state === "waiting" ? "ENQUEUED" : "DELAYED") ? count : 0)
          assertNone(yield* plansOf(askedOf), /perdure_workflow_queue/)
        }
      })
    )
  }

  test(
    "a page of what does not wait there is gathered, not searched for",
    Effect.gen(function*() {
      const store = yield* Store
      yield* store.write([start("d", { owner: null, delayMs: 1_000_000 })])
      yield* crowd("waiting")
      const [found, asked] = yield* asking(store.list({ status: ["DELAYED"], order: "desc", limit: 10 }))
      assert.deepStrictEqual(found.map(({ workflowId }) => workflowId), ["d"])
      assertNone(yield* plansOf(asked), walksAll)
      const counted = yield* store.countWithin({ status: ["DELAYED"], order: "desc", limit: 10 }, 1)
      assert.deepStrictEqual(counted, { count: 1, complete: true })
    })
  )
})

test(
  "what a rate limit holds back is told without what the queue has ever started",
  Effect.gen(function*() {
    const store = yield* Store
    yield* store.join({ incarnation: "A", executorId: "local", version: "1" }, 60_000)
    yield* store.serve("A", served, null)
    const rateLimit = { limit: 2, periodMs: 86_400_000 }
    yield* store.registerQueue("q", limits({ rateLimit }))
    yield* store.write([queued("a"), queued("b"), queued("c")])
    const explained = Effect.provide(asking(Client.explain("c")), Engine.layerClient())
    const holds = ({ why }: Client.Explanation) => why._tag === "Queued" ? why.holds : why._tag
    assert.lengthOf((yield* claim(1)).claimed, 1)
    assert.deepStrictEqual(holds((yield* explained)[0]), ["others before it"])
    assert.lengthOf((yield* claim(1)).claimed, 1)
    const [explanation, asked] = yield* explained
    assert.deepStrictEqual(holds(explanation), ["rateLimit"])
    assert.isNotEmpty(asked)
    assertNone(yield* plansOf(asked), /perdure_workflow_queue/)
  })
)

/** A parent that lives, of which all children are done, the oldest of all; then others that are done. */
const endless = Effect.fnUntraced(function*(children: number, others: number) {
  const store = yield* Store
  const sql = yield* SqlClient
  yield* store.write([start("p")])
  yield* sql.unsafe(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${children + others})
    INSERT INTO perdure_workflow (workflow_id, status, parent_id, created_at, completed_at, token, name, version, payload,
      codec, detached, roles, max_recovery_attempts)
    SELECT 'w' || n, 'SUCCESS', iif(n <= ${children}, 'p', NULL), n, n, 't', 'Order', '1', '{}', 'json', 0, '[]', 3 FROM n`)
})

describe("retention", () => {
  test(
    "passes over what stays once, and locks only what goes",
    Effect.gen(function*() {
      const store = yield* Store
      yield* endless(3_000, 1_200)
      const retain = store.retain({ name: null, olderThanMs: 1_000, keep: null }, 500)
      const counts: Array<number> = []
      let looked = 0
      for (let count = 500; count === 500;) {
        const [deleted, asked] = yield* asking(retain)
        counts.push(count = deleted)
        looked += rowsOf(asked.filter(({ locked }) => !locked))
        const plans = yield* plansOf(asked.filter(({ locked }) => locked))
        assertNone(plans, /^(?:SCAN|SEARCH) (?:w|perdure_workflow) (?!.*\(workflow_id=\?\))/)
      }
      assert.deepStrictEqual(counts, [500, 500, 200])
      // Of each batch it sees again what was in the last page beyond it.
      assert.isAtMost(looked, 3_000 + 1_200 + 3 * 1_000 + 50)
      assert.lengthOf(yield* store.list({ order: "asc", limit: 10_000 }), 3_001)
    })
  )
})
