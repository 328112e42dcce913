/**
 * The class of bug hunted here: an operator's hand that meets somebody else's on the same workflow, and what is left
 * behind of a workflow that is gone.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { advance, attempt, childOf, record, start, succeed, suspend } from "../../../test/conformance/builders.ts"
import {
  acknowledge,
  cancel,
  claimUntil,
  join,
  recorded,
  startDone,
  startOwned,
  submit,
  write
} from "../../../test/conformance/verbs.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

/**
 * Of every table with a column for a workflow's id, how many rows there are of these workflows. What an executor has yet
 * to be told of its losses is the executor's.
 */
const left = (sql: SqlClient, schema: string, ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const columns = yield* sql<{ table_name: string; column_name: string }>`
      SELECT table_name, column_name FROM information_schema.columns
      WHERE table_schema = ${schema} AND table_name <> 'revoked' AND column_name IN ('workflow_id', 'waiter_id', 'target_id')`
    const counts: Record<string, number> = {}
    for (const { column_name, table_name } of columns) {
      const [row] = yield* sql.unsafe<{ count: bigint }>(
        `SELECT count(*) FROM ${schema}.${table_name} WHERE ${column_name} = ANY ($1::text[])`,
        [ids]
      )
      if (Number(row!.count) > 0) counts[`${table_name}.${column_name}`] = Number(row!.count)
    }
    return counts
  })

describe("deleting", () => {
  it.live("leaves no row of the workflow in any table", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      yield* join(store, "i")
      yield* startOwned(store, "w", "i", { timeoutMs: 3_600_000 })
      yield* recorded(
        store,
        advance("w", 1, {
          records: [record(0), record(1)],
          attempts: [attempt(1, 0)],
          children: [childOf("w", 1)]
        })
      )
      yield* recorded(store, advance("w", 1, { end: suspend({ awaiting: ["w-1"] }) }))
      assert.isNotEmpty(yield* left(sql, schema, ["w"]))
      assert.deepStrictEqual(yield* store.delete(["w"], { children: true }), [
        { workflowId: "w", result: "running", status: "PENDING" }
      ])
      yield* cancel(store, ["w"])
      yield* acknowledge(store, "i")
      assert.deepStrictEqual(yield* store.delete(["w", "w-1", "nobody"], { children: true }), [
        { workflowId: "w", result: "deleted" },
        { workflowId: "w-1", result: "deleted" },
        { workflowId: "nobody", result: "unknown" }
      ])
      assert.deepStrictEqual(yield* left(sql, schema, ["w", "w-1"]), {})
    }))

  it.live("and a resumption at the same moment: one of them happens, whole", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* join(store, "i")
      const seen = new Set<string>()
      for (let round = 0; round < 60; round++) {
        const id = `w${round}`
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { records: [record(0)] }))
        yield* cancel(store, [id])
        yield* acknowledge(store, "i")
        const [[deleted], [resumed]] = yield* Effect.all([
          store.delete([id], { children: false }),
          other.resume([id])
        ], { concurrency: 2 })
        seen.add(`${deleted!.result} ${resumed!.result}`)
        if (deleted!.result === "deleted") {
          assert.strictEqual(resumed!.result, "unknown")
          assert.deepStrictEqual(yield* left(sql, schema, [id]), {})
        } else {
          assert.deepStrictEqual([deleted!.result, resumed!.result], ["running", "resumed"])
          assert.deepStrictEqual((yield* claimUntil(store, "i", id)).records, [record(0)])
        }
      }
      assert.isNotEmpty(seen)
    }))

  it.live("a family beyond a batch goes whole, or stays whole while one of it runs", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const ids = Array.from({ length: 2_300 }, (_, i) => `w-${i}`)
      yield* recorded(
        store,
        advance("w", 1, {
          records: ids.map((_, i) => record(i)),
          children: ids.map((_, i) => childOf("w", i, { owner: "i" })),
          end: succeed
        })
      )
      yield* write(store, ids.slice(1).map((id) => advance(id, 1, { end: succeed })))
      assert.deepStrictEqual(yield* store.delete(["w"], { children: true }), [
        { workflowId: "w", result: "running", status: "PENDING" }
      ])
      assert.lengthOf(yield* store.list({ order: "asc", limit: 10_000 }), 2_301)
      yield* recorded(store, advance("w-0", 1, { end: succeed }))
      assert.deepStrictEqual(yield* store.delete(["w"], { children: true }), [{ workflowId: "w", result: "deleted" }])
      assert.deepStrictEqual(yield* left(sql, schema, ["w", ...ids]), {})
    }))

  it.live("waits for nobody who holds a workflow that runs", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const connection = yield* session
      yield* connection.query("BEGIN")
      yield* connection.query(`SELECT 1 FROM ${schema}.workflow FOR UPDATE`)
      yield* connection.query(`SELECT 1 FROM ${schema}.ownership FOR UPDATE`)
      assert.deepStrictEqual(yield* store.delete(["w"], { children: false }), [
        { workflowId: "w", result: "running", status: "PENDING" }
      ])
      yield* connection.query("ROLLBACK")
    }))
})

describe("retention", () => {
  it.live("leaves a child to its parent, whatever the parent does meanwhile", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* join(store, "i")
      const everything = { name: null, olderThanMs: null, keep: null }
      for (let round = 0; round < 20; round++) {
        const id = `w${round}`
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { records: [record(0)], children: [childOf(id, 0, { owner: "i" })] }))
        yield* recorded(store, advance(`${id}-0`, 1, { end: succeed }))
        // the parent goes to sleep on its child while others clean up, and must find its result
        yield* Effect.all([
          submit(store, advance(id, 1, { end: suspend({ awaiting: [`${id}-0`] }) })),
          other.retain(everything, 100),
          store.retain(everything, 100)
        ], { concurrency: 3 })
        assert.deepStrictEqual((yield* store.outcomes([`${id}-0`])).unknown, [])
        yield* recorded(store, advance(id, 1, { end: succeed }))
      }
      let gone = 0
      for (let count = 1; count > 0; gone += count) count = yield* store.retain(everything, 100)
      assert.deepStrictEqual(yield* store.list({ order: "asc", limit: 100 }), [])
    }))

  it.live("goes in batches until fewer are left, by several at once, each workflow once", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* join(store, "i")
      const ids = Array.from({ length: 2_500 }, (_, i) => `w${i}`)
      yield* write(store, ids.map((workflowId) => start({ workflowId, owner: "i" })))
      yield* write(store, ids.map((id) => advance(id, 1, { end: succeed })))
      yield* startDone(store, "newest", "i")
      const all = (one: typeof store) =>
        Effect.gen(function*() {
          let sum = 0
          for (let count = 700; count === 700; sum += count) {
            count = yield* one.retain({ name: null, olderThanMs: null, keep: 1 }, 700)
          }
          return sum
        })
      const [first, second] = yield* Effect.all([all(store), all(other)], { concurrency: 2 })
      assert.strictEqual(first + second, ids.length)
      assert.deepStrictEqual((yield* store.list({ order: "asc", limit: 10 })).map((row) => row.workflowId), ["newest"])
    }))
})
