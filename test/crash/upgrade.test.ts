/**
 * A newer release that migrates while this one runs. Hunts for a statement that relies on the columns that it knows being all,
 * a plan that is not made anew, and an older process that begins on a schema that it does not know.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Client } from "perdure"
import { eventually } from "./harness/eventually.ts"
import * as Lab from "./harness/Lab.ts"
import { storeLayer } from "./harness/Place.ts"
import { Approval, Mail, mails, Order } from "./roles/shop.ts"
import { Job } from "./workflows/jobs.ts"

/** Long: a migration may hold up a heartbeat for as long as it waits for locks, and no lease is to be lost by that here. */
const lease = "60 seconds"

/** The tables of the store, as they are named in SQL. */
const tablesOf = (kind: Lab.Kind) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const rows = yield* sql.unsafe<{ readonly name: string }>(
      kind === "sqlite"
        ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'perdure_%'"
        : "SELECT 'perdure.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'perdure'"
    )
    return rows.map(({ name }) => name)
  })

/**
 * The widest migration that only adds: a column with a default in every table, a table, an index. Where the running release
 * and this one wait for each other's locks the database ends one of them; then this one is made again, as by a supervisor.
 */
const migrate = (kind: Lab.Kind) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const tables = yield* tablesOf(kind)
    assert.isAbove(tables.length, 10)
    const [prefix, version] = kind === "sqlite" ? ["perdure_", "perdure_meta"] : ["perdure.", "perdure.meta"]
    yield* sql.withTransaction(Effect.forEach([
      ...tables.map((table) => `ALTER TABLE ${table} ADD COLUMN newer text NOT NULL DEFAULT 'newer'`),
      `CREATE TABLE ${prefix}newer (id text PRIMARY KEY, workflow_id text NOT NULL)`,
      `CREATE INDEX newer_id ON ${prefix}newer (workflow_id)`,
      `UPDATE ${version} SET schema_version = schema_version + 1`
    ], (statement) => sql.unsafe(statement)))
  }).pipe(Effect.sandbox, Effect.retry({ times: 20 }))

Lab.onBothStores("a newer release that migrates", (kind) => {
  it.live("leaves the release before at work: everything goes on and ends, and each step runs once", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const shop = yield* lab.run("shop", { executorId: "shop-1", version: "v1", lease })
        const worker = yield* lab.run("executor", { engine: { lease, heartbeat: "1 second", poll: "100 millis" } })
        yield* Effect.all([shop.hear("ready"), worker.hear("ready")])
        const jobs = Array.from({ length: 20 }, (_, index) => `job-${index}`)
        for (const workflowId of jobs) yield* Job.start({ steps: 10, workMs: 100 }, { workflowId })
        yield* Order.start({ item: "made to measure" }, { workflowId: "order-1", version: "v1" })
        yield* eventually(
          "the order to wait",
          Effect.map(Client.explain("order-1"), ({ why }) => why._tag === "Suspended" || undefined)
        )
        yield* eventually("steps to have run", Effect.sync(() => lab.sideEffects().length > 20 || undefined))

        yield* migrate(kind)

        yield* Approval.send("order-1", { by: "ada" })
        yield* mails.enqueue(Mail, undefined, { workflowId: "mail-1" })
        yield* Job.start({ steps: 2, workMs: 0 }, { workflowId: "later" })
        for (const workflowId of jobs) assert.lengthOf(yield* Job.handle(workflowId).result, 10)
        assert.lengthOf(yield* Job.handle("later").result, 2)
        assert.strictEqual(yield* Order.handle("order-1").result, "made to measure")
        yield* Mail.handle("mail-1").result
        assert.deepStrictEqual([shop.ended, worker.ended], [undefined, undefined])
        const runs = lab.sideEffects().map(({ step, workflowId }) => `${workflowId} ${step}`)
        assert.strictEqual(runs.length, new Set(runs).size)

        // Who comes now does not know this schema: as an application that opens it, and as a process.
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.fresh(storeLayer(lab.place)))))
        assert.deepStrictEqual([error._tag, error.reason._tag, error.isRetryable], [
          "StoreError",
          "StoreMisconfigured",
          false
        ])
        assert.match(error.message, /schema .*2.*this release .*1.*Nothing was written\. .*(?:Upgrade|at least as new)/)
        const late = yield* lab.run("shop", { executorId: "shop-2", version: "v1" })
        assert.notStrictEqual((yield* late.exit()).code, 0)
        assert.include(late.tail, "Nothing was written")
        assert.strictEqual(yield* Order.execute({ item: "book" }, { workflowId: "order-2", version: "v1" }), "book")
      }).pipe(Effect.provide(lab.client))
    }))
})
