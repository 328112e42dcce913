/**
 * The class of bug hunted here: a store that is right only with the server settings, the session or the pooler that its
 * author had.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { Store } from "perdure/Store"
import { advance, record, start, succeed } from "../../../test/conformance/builders.ts"
import { claimUntil, join, lapse, startOwned, submit, sweep } from "../../../test/conformance/verbs.ts"
import * as PostgresStore from "../src/PostgresStore.ts"
import { freshSchema, open, session, url, useDatabase } from "./given.ts"

useDatabase()

/** A workflow from its start through a takeover to its end. */
const life = Effect.fnUntraced(function*(store: Store["Service"]) {
  yield* join(store, "i")
  yield* startOwned(store, "w", "i")
  yield* submit(store, advance("w", 1, { records: [record(0)] }))
  yield* lapse(store)
  yield* sweep(store)
  yield* join(store, "j")
  const { records, row } = yield* claimUntil(store, "j", "w")
  assert.deepStrictEqual(records, [record(0)])
  assert.isTrue((yield* store.heartbeat("j", 60_000, [])).alive)
  yield* submit(store, advance("w", row.epoch, { end: succeed }))
  assert.strictEqual((yield* store.get("w"))!.status, "SUCCESS")
})

const setIsolation = (level: string) =>
  Effect.gen(function*() {
    const connection = yield* session
    const name = new URL(url()).pathname.slice(1)
    yield* connection.query(`ALTER DATABASE ${name} SET default_transaction_isolation = '${level}'`)
    yield* Effect.addFinalizer(() =>
      Effect.orDie(connection.query(`ALTER DATABASE ${name} RESET default_transaction_isolation`))
    )
  })

describe("sessions", () => {
  for (const level of ["serializable", "repeatable read"]) {
    for (const pooler of [false, true]) {
      it.live(`a server whose default is ${level} changes nothing${pooler ? ", not behind a pooler either" : ""}`, () =>
        Effect.gen(function*() {
          yield* setIsolation(level)
          const { sql, store } = yield* open(freshSchema(), { pooler })
          yield* life(store)
          // the application keeps the server's own default
          assert.deepStrictEqual(yield* sql`SELECT current_setting('default_transaction_isolation') AS level`, [
            { level }
          ])
        }))
    }
  }

  it.live("nothing is prepared behind a pooler, and everything works", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema(), {
        pooler: true,
        maxConnections: 1,
        storeConnections: 1
      })
      yield* life(store)
      assert.deepStrictEqual(yield* sql`SELECT name FROM pg_prepared_statements`, [])
      yield* store.hint([{ _tag: "Done", workflowId: "w" }], "")
      assert.strictEqual(schema.startsWith("store_"), true)
    }))

  it.live("an application that holds all of its connections does not hold up the store", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* open(freshSchema(), { maxConnections: 2 })
      yield* Effect.all([sql.reserve, sql.reserve])
      yield* life(store)
    }))

  it.live("no more connections are open than the options say, and three", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const applicationName = `counted ${schema}`
      const options = { applicationName, maxConnections: 3, storeConnections: 2 }
      const { sql, store } = yield* open(schema, options)
      yield* Effect.forkScoped(Effect.ignore(Stream.runDrain(store.hints("a"))))
      yield* join(store, "i")
      const busy = Effect.all([
        sql`SELECT pg_sleep(0.01)`,
        submit(store, start({ workflowId: "w" })),
        store.heartbeat("i", 60_000, []),
        store.hint([{ _tag: "Done", workflowId: "w" }], "")
      ], { concurrency: "unbounded" })
      yield* Effect.all(Array.from({ length: 50 }, () => busy), { concurrency: "unbounded" })
      const connection = yield* session
      // Idle ones stay open for minutes, so what was open at any time is.
      const { rows } = yield* connection.query(
        `SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name = '${applicationName}'`
      )
      const opened = rows[0]!["open"] as number
      assert.isAtMost(opened, 3 + 2 + 3)
      assert.isAtLeast(opened, 3 + 2 + 1)
    }))

  it.live("a statement of the store never joins the transaction that its caller is in", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* open(freshSchema())
      yield* Effect.flip(sql.withTransaction(
        Effect.andThen(submit(store, start({ workflowId: "w" })), Effect.fail("rolled back" as const))
      ))
      assert.strictEqual((yield* store.get("w"))!.status, "ENQUEUED")
    }))

  it.live("neither an error nor a log names the password", () =>
    Effect.gen(function*() {
      const port = new URL(url()).port
      const urls = [
        "postgres://me:hunter2@127.0.0.1:1/db",
        "postgres://me:hunter2@[broken/db",
        "postgres://me:hunter2@127.0.0.1:99999/db",
        `postgres://nobody:hunter2@127.0.0.1:${port}/nowhere`
      ]
      for (const address of urls) {
        const error = yield* Effect.flip(Effect.scoped(
          Layer.build(Layer.fresh(PostgresStore.layer({ url: Redacted.make(address) })))
        ))
        assert.notInclude(inspect(error, { depth: 10, showHidden: true }), "hunter2")
        assert.notInclude(JSON.stringify(error), "hunter2")
      }
    }))

  it.live("a server that is not there is unavailable; a database that is not there is a mistake", () =>
    Effect.gen(function*() {
      const away = yield* Effect.flip(Effect.scoped(
        Layer.build(Layer.fresh(PostgresStore.layer({ host: "127.0.0.1", port: 1, username: "x" })))
      ))
      assert.strictEqual(away.isRetryable, true)
      const wrong = yield* Effect.flip(Effect.scoped(open(freshSchema(), { database: "no_such_database" })))
      assert.deepStrictEqual([wrong.isRetryable, wrong.reason.code], [false, "3D000"])
    }))

  it.live("the configuration can come from the environment", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const provider = ConfigProvider.fromUnknown({ DATABASE_URL: url(), PERDURE_SCHEMA: schema })
      const context = yield* Layer.build(Layer.fresh(PostgresStore.layerConfig())).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      yield* life(Context.get(context, Store))
      const sql = Context.get(context, SqlClient)
      assert.lengthOf(yield* sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`, 1)
    }))
})
