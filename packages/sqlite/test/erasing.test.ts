/** Deleting in batches: what others see and do between two of them, and what has changed since it was looked for. */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Store, type StoreService } from "perdure/Store"
import { type Asked, asking, watched } from "./asked.ts"
import { temporaryFile } from "./files.ts"
import { start } from "./operations.ts"

const open = Effect.gen(function*() {
  yield* watched
  const filename = yield* temporaryFile
  const context = yield* Layer.build(Layer.fresh(SqliteStore.layer({ filename })))
  return { store: Context.get(context, Store), sql: Context.get(context, SqlClient) }
})

/** `root`, its children `root-1` and so on, all done long ago, and (`deep`) a child of each of those. */
const family = (sql: SqlClient, root: string, children: number, deep = false) =>
  sql.unsafe(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${children}),
    member (id, parent) AS (
      SELECT '${root}', NULL
      UNION ALL SELECT '${root}-' || n, '${root}' FROM n
      UNION ALL SELECT '${root}-' || n || '-0', '${root}-' || n FROM n WHERE ${deep ? 1 : 0}
    )
    INSERT INTO perdure_workflow (workflow_id, parent_id, status, reason, created_at, completed_at, token, name, version,
      payload, codec, detached, roles, max_recovery_attempts)
    SELECT id, parent, 'CANCELLED', '{}', 1, 2, 't', 'Order', '1', '{}', 'json', 0, '[]', 3 FROM member`)

const remove = (store: StoreService, ...ids: ReadonlyArray<string>) => store.delete(ids, { children: true })

const left = (store: StoreService) =>
  Effect.map(store.list({ order: "asc", limit: 10_000 }), (rows) => rows.map(({ workflowId }) => workflowId))

/** How many workflows each transaction has deleted, of those that did. */
const deletedBy = (asked: ReadonlyArray<Asked>): ReadonlyArray<number> => {
  const counts: Array<number> = []
  for (const { sql } of asked) {
    if (sql.startsWith("BEGIN")) counts.push(0)
    if (sql.startsWith("DELETE FROM perdure_workflow")) counts[counts.length - 1]!++
  }
  return counts.filter((count) => count > 0)
}

describe("deleting", () => {
  it.live("a family beyond a batch takes a transaction for each, from the leaves up", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* open
      yield* family(sql, "w", 1_200, true)
      const [answers, asked] = yield* asking(remove(store, "w"))
      assert.deepStrictEqual(answers, [{ workflowId: "w", result: "deleted" }])
      assert.deepStrictEqual(deletedBy(asked), [1_000, 1_000, 401])
      assert.isAtMost(Math.max(...asked.map(({ rows }) => rows)), 1_000)
      const order = asked.filter(({ sql }) => sql.startsWith("DELETE FROM perdure_workflow")).map(({ parameters }) =>
        String(parameters[0]).split("-").length
      )
      assert.deepStrictEqual(order, [...order].sort((a, b) => b - a))
      assert.deepStrictEqual(yield* left(store), [])
    }))

  it.live("many families takes as few transactions as hold them whole", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* open
      for (const root of ["a", "b", "c"]) yield* family(sql, root, 450)
      const [answers, asked] = yield* asking(remove(store, "a", "b", "b-7", "c"))
      assert.deepStrictEqual(answers.map(({ result }) => result), ["deleted", "deleted", "deleted", "deleted"])
      assert.deepStrictEqual(deletedBy(asked), [902, 451])
      assert.deepStrictEqual(yield* left(store), [])
    }))

  it.live("a family beyond a batch keeps nobody from writing for longer than a batch", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* open
      yield* family(sql, "w", 2_300)
      const deletion = yield* Effect.forkChild(remove(store, "w"), { startImmediately: true })
      const count = store.count({ order: "asc", limit: 10_000 })
      while ((yield* count) === 2_301) yield* Effect.yieldNow
      yield* store.write([start("x")])
      assert.isUndefined(deletion.pollUnsafe())
      // What is left has its root, and can be deleted again.
      const between = yield* left(store)
      assert.includeMembers([...between], ["w", "x"])
      assert.isAbove(between.length, 2)
      assert.deepStrictEqual(yield* Fiber.join(deletion), [{ workflowId: "w", result: "deleted" }])
      assert.deepStrictEqual(yield* left(store), ["x"])
    }))

  it.live("a family of which one is resumed after it was looked at deletes none", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* open
      yield* family(sql, "w", 3)
      const resumed = Effect.gen(function*() {
        // It has looked by then, and waits for this transaction.
        const deletion = yield* Effect.forkDetach(remove(store, "w"), { startImmediately: true })
        yield* Effect.yieldNow
        yield* own(sql, "w-2")
        return deletion
      })
      const deletion = yield* sql.withTransaction(resumed)
      assert.deepStrictEqual(yield* Fiber.join(deletion), [{ workflowId: "w", result: "running", status: "PENDING" }])
      assert.lengthOf(yield* left(store), 4)
    }))
})

/** As a resumption leaves it. */
const own = Effect.fnUntraced(function*(sql: SqlClient, id: string) {
  yield* sql.unsafe(`UPDATE perdure_workflow SET status = 'PENDING', reason = NULL, completed_at = NULL
    WHERE workflow_id = '${id}'`)
  yield* sql.unsafe(`INSERT INTO perdure_ownership (workflow_id, name, version, epoch, phase, rest)
    VALUES ('${id}', 'Order', '1', 1, 'run', 'release')`)
})

it.live("retention leaves a child whose parent is resumed after it was looked for, and goes on behind it", () =>
  Effect.gen(function*() {
    const { sql, store } = yield* open
    yield* family(sql, "w", 2)
    yield* family(sql, "z", 1)
    const resumed = Effect.gen(function*() {
      const retention = { name: null, olderThanMs: 1_000, keep: null }
      const deletion = yield* Effect.forkDetach(store.retain(retention, 5), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      yield* own(sql, "w")
      return deletion
    })
    const deletion = yield* sql.withTransaction(resumed)
    assert.strictEqual(yield* Fiber.join(deletion), 2)
    assert.sameMembers([...yield* left(store)], ["w", "w-1", "w-2"])
  }))
