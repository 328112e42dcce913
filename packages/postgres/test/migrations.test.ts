/**
 * The class of bug hunted here: a schema that is made twice, half, under another name, or by somebody who may not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { StoreError } from "perdure/Store"
import { advance, childOf, record, start, succeed, suspend } from "../../../test/conformance/builders.ts"
import { cancel, claimUntil, join, lapse, startOwned, submit, sweep } from "../../../test/conformance/verbs.ts"
import * as Hints from "../src/internal/hints.ts"
import { migrations } from "../src/internal/migrations.ts"
import { quoteIdentifier } from "../src/internal/sql/function.ts"
import * as PostgresStore from "../src/PostgresStore.ts"
import { freshSchema, open, session, url, useDatabase } from "./given.ts"

useDatabase()

const failure = <A, R>(effect: Effect.Effect<A, StoreError, R>) => Effect.flip(effect)

/** As psql reads it: a semicolon in a literal ends nothing. */
const statementsOf = (script: string): ReadonlyArray<string> => {
  const statements: Array<string> = []
  let open = ""
  for (const part of script.split(/;\n(?:\n|$)/)) {
    open += part
    const quotes = open.replace(/--.*/g, "").split("'").length - 1
    if (quotes % 2 === 1) open += ";\n\n"
    else if (statements.push(open) > 0) open = ""
  }
  return statements.filter((statement) => statement.trim() !== "")
}

describe("migrations", () => {
  it.live("ten processes that start at once make one store", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const opened = yield* Effect.forEach(Array.from({ length: 10 }), () => open(schema), { concurrency: "unbounded" })
      const connection = yield* session
      assert.lengthOf((yield* connection.query(`SELECT store_id FROM ${schema}.meta`)).rows, 1)
      for (const [i, { store }] of opened.entries()) {
        assert.strictEqual((yield* submit(store, start({ workflowId: `w${i}` })))._tag, "Started")
      }
      assert.lengthOf(yield* opened[0]!.store.list({ order: "asc", limit: 100 }), 10)
    }))

  it.live("a migration that dies at any statement leaves nothing, and the next one completes", () =>
    Effect.gen(function*() {
      const connection = yield* session
      const statements = migrations.flatMap((migration) => migration("broken"))
      for (let count = 1; count <= statements.length; count += 4) {
        yield* connection.query("BEGIN")
        yield* connection.query("CREATE SCHEMA broken")
        for (const statement of statements.slice(0, count)) yield* connection.query(statement)
        // as a crash does
        yield* connection.query("ROLLBACK")
      }
      const { store } = yield* open("broken")
      assert.strictEqual((yield* submit(store, start({ workflowId: "w" })))._tag, "Started")
    }))

  it.live("opening an up-to-date schema writes nothing", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const connection = yield* session
      yield* Effect.scoped(open(schema))
      const rows = (table: string) =>
        Effect.map(
          connection.query(`SELECT xmin::text, ctid::text FROM ${table}`),
          (result) => result.rows
        )
      const before = yield* rows(`${schema}.meta`)
      const objects = yield* rows("pg_catalog.pg_class")
      yield* Effect.scoped(open(schema))
      assert.deepStrictEqual(yield* rows(`${schema}.meta`), before)
      assert.deepStrictEqual(yield* rows("pg_catalog.pg_class"), objects)
    }))

  it.live("a schema of a newer release is refused and not written to", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const connection = yield* session
      yield* Effect.scoped(open(schema))
      yield* connection.query(`UPDATE ${schema}.meta SET schema_version = 99`)
      const error = yield* failure(Effect.scoped(open(schema)))
      assert.strictEqual(error.reason._tag, "StoreMisconfigured")
      assert.include(error.message, "version 99")
      assert.deepStrictEqual(
        (yield* connection.query(`SELECT schema_version FROM ${schema}.meta`)).rows,
        [{ schema_version: 99 }]
      )
    }))

  it.live("makes nothing where it may not migrate, and says what is missing", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const state = PostgresStore.schemaState({ url: Redacted.make(url()), schema })
      assert.deepStrictEqual(yield* state, { installed: null, known: migrations.length })
      const error = yield* failure(Effect.scoped(open(schema, { migrate: false })))
      assert.deepInclude(error.reason, { _tag: "StoreNotMigrated", installed: null, known: migrations.length })
      assert.match(error.message, /no Perdure schema in the schema "store_\d+" .*Nothing was written\..* migrate up$/)
      const connection = yield* session
      const named = connection.query(`SELECT FROM pg_namespace WHERE nspname = '${schema}'`)
      assert.lengthOf((yield* named).rows, 0)

      yield* Effect.scoped(open(schema))
      assert.deepStrictEqual(yield* state, { installed: migrations.length, known: migrations.length })
      const { store } = yield* open(schema, { migrate: false })
      assert.strictEqual((yield* submit(store, start({ workflowId: "w" })))._tag, "Started")
    }))

  it.live("a schema that is made by the script is complete", () =>
    Effect.gen(function*() {
      const schema = freshSchema()
      const connection = yield* session
      for (const statement of statementsOf(PostgresStore.migrationSql(null, schema))) yield* connection.query(statement)
      const { store } = yield* open(schema, { migrate: false })
      assert.strictEqual((yield* submit(store, start({ workflowId: "w" })))._tag, "Started")
    }))

  it.live("a role that may not create a schema is told which right it lacks; in a schema of its own it needs no more", () =>
    Effect.gen(function*() {
      const connection = yield* session
      const role = `limited_${Date.now()}`
      yield* connection.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`)
      yield* Effect.addFinalizer(() =>
        Effect.orDie(Effect.andThen(connection.query(`DROP OWNED BY ${role}`), connection.query(`DROP ROLE ${role}`)))
      )
      const options = { username: role, password: Redacted.make("secret") }
      const error = yield* failure(Effect.scoped(open(`${role}_missing`, options)))
      assert.strictEqual(error.reason._tag, "StoreMisconfigured")
      assert.include(error.message, "CREATE on the database")
      yield* connection.query(`CREATE SCHEMA ${role}_own AUTHORIZATION ${role}`)
      yield* Effect.scoped(Effect.gen(function*() {
        const { store } = yield* open(`${role}_own`, options)
        assert.strictEqual((yield* submit(store, start({ workflowId: "w" })))._tag, "Started")
      }))
      // tables that somebody else owns, without a right to them
      yield* Effect.scoped(open(`${role}_other`))
      const denied = yield* failure(Effect.scoped(open(`${role}_other`, options)))
      assert.strictEqual(denied.reason._tag, "StoreMisconfigured")
      assert.include(denied.message, "USAGE on the schema")
    }))

  it.live("everything works in a schema with an odd name", () =>
    Effect.gen(function*() {
      const names = ["we\"ird Schema", "We\"ird schema", "it's; DROP SCHEMA x --", "\\ $perdure$ %s", "schéma 🚀"]
      assert.lengthOf(new Set(names.map(Hints.channelOf)), names.length)
      for (const schema of names) {
        const { sql, store } = yield* open(schema)
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        yield* submit(store, advance("w", 1, { records: [record(0, { rollback: true })], children: [childOf("w", 0)] }))
        yield* submit(store, advance("w", 1, { end: suspend({ awaiting: ["w-0"] }) }))
        yield* cancel(store, ["w-0"])
        const { row } = yield* claimUntil(store, "i", "w")
        yield* lapse(store)
        assert.strictEqual((yield* sweep(store)).released, 1)
        yield* cancel(store, ["w"])
        yield* store.resume(["w"])
        yield* join(store, "j")
        const again = yield* claimUntil(store, "j", "w")
        assert.isAbove(again.row.epoch, row.epoch)
        yield* submit(store, advance("w", again.row.epoch, { end: succeed }))
        assert.strictEqual((yield* store.outcomes(["w"])).done[0]!.status, "SUCCESS")
        yield* store.leave("j")
        const found = yield* sql`SELECT 1 FROM pg_namespace WHERE nspname = ${schema}`
        assert.lengthOf(found, 1)
        yield* sql.unsafe(`DROP SCHEMA ${quoteIdentifier(schema)} CASCADE`)
      }
    }))

  it.live("a schema name that the server would cut or refuse is refused", () =>
    Effect.gen(function*() {
      for (const schema of ["", "é".repeat(32), "pg_mine", "a\0b"]) {
        const error = yield* failure(Effect.scoped(open(schema)))
        assert.strictEqual(error.reason._tag, "StoreMisconfigured", schema)
      }
    }))

  it.live("keys sort as bytes, whatever the database sorts by", () =>
    Effect.gen(function*() {
      const { store, sql, schema } = yield* open(freshSchema())
      for (const workflowId of ["b", "B", "a", "_", "é", "Z", "10", "9"]) yield* submit(store, start({ workflowId }))
      const rows = yield* sql.unsafe<{ workflow_id: string }>(`SELECT workflow_id FROM ${schema}.workflow ORDER BY 1`)
      assert.deepStrictEqual(rows.map((row) => row.workflow_id), ["10", "9", "B", "Z", "_", "a", "b", "é"])
    }))
})
