/** Deleting in batches: what others see and do between two of them, and what has changed since it was looked for. */
import { assert, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Store, type StoreService } from "perdure/Store"
import { temporaryFile } from "./files.ts"

const open = Effect.gen(function*() {
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

const left = (store: StoreService) =>
  Effect.map(store.list({ order: "asc", limit: 10_000 }), (rows) => rows.map(({ workflowId }) => workflowId))

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
