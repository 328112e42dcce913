/** Nobody waits for a stranger: an open transaction of somebody else holds up what it holds, and nothing more. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { SqlClient } from "effect/sql/SqlClient"
import { DatabaseSync } from "node:sqlite"
import type { Suite } from "../Backend.ts"
import { advance, record, start, succeed } from "../builders.ts"
import { enqueue, finish, limits, perKey, queued, takeIds } from "../queues.ts"
import { historyOf, join, startOwned, submit, write } from "../verbs.ts"

export const strangers: Suite = (claim) => {
  claim(
    "a workflow whose rows a stranger holds is Busy, the rest of its batch is written",
    (given) =>
      Effect.gen(function*() {
        const { store, target } = given
        if (target.kind !== "postgres") return
        const { sql } = yield* given.another
        yield* join(store, "i")
        for (const id of ["held", "free"]) yield* startOwned(store, id, "i")
        const tables = yield* sql<{ name: string }>`SELECT table_name AS name FROM information_schema.columns
        WHERE table_schema = ${target.schema} AND column_name = 'workflow_id'`
        assert.isNotEmpty(tables)
        const operation = (id: string) => advance(id, 1, { records: [record(0)], end: succeed })
        yield* sql.withTransaction(Effect.gen(function*() {
          for (const { name } of tables) {
            yield* sql.unsafe(`SELECT 1 FROM "${target.schema}"."${name}" WHERE workflow_id = 'held' FOR UPDATE`)
          }
          const answers = yield* store.write([operation("held"), operation("free"), start({ workflowId: "new" })])
          assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Busy", "Recorded", "Started"])
          assert.deepStrictEqual(yield* historyOf(store, "held"), [])
        }))
        assert.strictEqual((yield* submit(store, operation("held")))._tag, "Recorded")
      }),
    "postgres"
  )

  claim(
    "a stranger's open transaction that enqueues holds up no claim, no end and no start, and its own come when it commits",
    (given) =>
      Effect.gen(function*() {
        const { store } = given
        const other = yield* given.another
        yield* join(store, "i")
        yield* store.registerQueue("q", limits({ concurrency: 1 }))
        yield* store.registerQueue("keys", limits({ concurrency: 10, partitioned: perKey() }))
        const key = (id: string) => queued(id, { queue: "keys", partitionKey: "x" })
        yield* enqueue(store, [queued("a"), key("x")])
        yield* other.sql.withTransaction(Effect.gen(function*() {
          yield* Effect.provideService(
            other.store.within([queued("late", { deduplicationId: "d" }), key("late x")], []),
            SqlClient,
            other.sql
          )
          assert.sameMembers(yield* takeIds(store, "i"), ["a", "x"])
          yield* finish(store, "i", ["a", "x"])
          yield* enqueue(store, [queued("b"), key("y")])
          assert.sameMembers(yield* takeIds(store, "i"), ["b", "y"])
          yield* store.setQueue("keys", { paused: true })
          yield* store.setQueue("keys", { paused: false })
          // whoever wants the same deduplication id cannot be told yet; the rest of its batch is written
          const answers = yield* store.write([queued("c"), queued("same", { deduplicationId: "d" }), queued("e")])
          assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Started", "Busy", "Started"])
        }))
        assert.deepStrictEqual(yield* submit(store, queued("same", { deduplicationId: "d" })), {
          _tag: "Duplicate",
          workflowId: "late",
          name: "Order"
        })
        yield* finish(store, "i", ["b", "y"])
        assert.sameMembers(yield* takeIds(store, "i"), ["late", "late x"])
      }),
    "postgres"
  )

  claim(
    "while another process writes, a write waits, this process goes on, and the write is made after it",
    (given) =>
      Effect.gen(function*() {
        if (given.target.kind !== "sqlite") return
        const stranger = new DatabaseSync(given.target.filename)
        yield* Effect.addFinalizer(() => Effect.sync(() => stranger.close()))
        stranger.exec("BEGIN IMMEDIATE")
        const writing = yield* Effect.forkChild(write(given.store, [start({ workflowId: "w" })]))
        for (let turn = 0; turn < 500; turn++) yield* Effect.promise(() => new Promise((next) => setImmediate(next)))
        assert.isUndefined(writing.pollUnsafe())
        assert.isNull(yield* given.store.get("w"))
        stranger.exec("COMMIT")
        assert.deepStrictEqual(yield* Fiber.join(writing), [{ _tag: "Started" }])
      }),
    "sqlite"
  )
}
