/** Brings the schema to this code's version, once, whoever else is starting at the same time. */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { notMigrated, type SchemaState, type StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { misconfiguration, toStoreError } from "./errors.ts"
import { migrations } from "./migrations.ts"
import { quoteIdentifier, quoteLiteral } from "./sql/function.ts"

/** The schema's version, or null when there is none. Writes nothing and needs no lock. */
const installed = (database: Database, connection: PgConnection.PgConnection): Effect.Effect<number | null, SqlError> =>
  connection.queryValues(
    `SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1::text AND c.relname = 'meta'`,
    [database.schema],
    false
  ).pipe(
    Effect.flatMap((found) =>
      found.length === 0
        ? Effect.succeed(null)
        : Effect.map(
          connection.queryValues(`SELECT schema_version FROM ${database.s}.meta WHERE one`, [], false),
          (rows) => rows.length === 0 ? null : Number(rows[0]![0])
        )
    )
  )

const refuseNewer = (version: number): Effect.Effect<void, StoreError> =>
  version > migrations.length
    ? Effect.fail(misconfiguration(
      `The schema is at version ${version}, this release knows ${migrations.length}: a newer release has migrated it. `
        + "Nothing was written. Upgrade @perdure/postgres, or use another schema"
    ))
    : Effect.void

/** Which schema there is. Writes nothing. */
export const schemaState = (database: Database): Effect.Effect<SchemaState, StoreError> =>
  database.pool.use((connection) => installed(database, connection)).pipe(
    Effect.map((version) => ({ installed: version, known: migrations.length })),
    Effect.mapError((error) => isSqlError(error) ? toStoreError(error) : error)
  )

/** Where nothing may be made: the schema has to be there, and this code's. */
export const requireSchema = (database: Database): Effect.Effect<void, StoreError> =>
  Effect.flatMap(schemaState(database), (state) => {
    if (state.installed === state.known) return Effect.void
    return state.installed !== null && state.installed > state.known
      ? refuseNewer(state.installed)
      : Effect.fail(notMigrated(`the schema "${database.schema}" of this PostgreSQL database`, state))
  })

/** What {@link migrate} does from version `from` on (null: from nothing), as a script. */
export const scriptAfter = (schema: string, from: number | null): string => {
  const s = quoteIdentifier(schema)
  return [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "SET LOCAL standard_conforming_strings = on",
    ...from === null ? [`CREATE SCHEMA ${s}`] : [],
    ...migrations.slice(from ?? 0).flatMap((migration) => migration(s)),
    `UPDATE ${s}.meta SET schema_version = ${migrations.length} WHERE one`,
    "COMMIT"
  ].map((statement) => `${statement.trim()};\n`).join("\n")
}

/**
 * All of it in one transaction under an advisory lock that ends with it, so a crash at any statement leaves nothing
 * behind and ten processes at once migrate one after the other. An up-to-date schema costs two reads.
 */
export const migrate = (database: Database): Effect.Effect<void, StoreError> =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* database.pool.reserve
    const run = (sql: string) => connection.query(sql, [], false)
    const before = yield* installed(database, connection)
    if (before !== null) {
      yield* refuseNewer(before)
      if (before === migrations.length) return
    }
    const upgrade = Effect.gen(function*() {
      yield* run("BEGIN ISOLATION LEVEL READ COMMITTED")
      yield* run("SET LOCAL standard_conforming_strings = on")
      yield* run("SET LOCAL statement_timeout = 0")
      yield* run("SET LOCAL client_min_messages = warning")
      const key = quoteLiteral(`perdure migration ${database.schema}`)
      yield* run(
        `SELECT 1 FROM (SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${key}, 0))) AS locked`
      )
      const version = (yield* installed(database, connection)) ?? 0
      yield* refuseNewer(version)
      const schema = yield* connection.queryValues(
        "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1::text",
        [database.schema],
        false
      )
      if (schema.length === 0) yield* run(`CREATE SCHEMA ${database.s}`)
      for (const migration of migrations.slice(version)) {
        for (const statement of migration(database.s)) yield* run(statement)
      }
      yield* run(`UPDATE ${database.s}.meta SET schema_version = ${migrations.length} WHERE one`)
      yield* run("COMMIT")
    })
    yield* Effect.onError(upgrade, () => Effect.ignore(run("ROLLBACK")))
  })).pipe(Effect.mapError((error) => isSqlError(error) ? toStoreError(error) : error))
