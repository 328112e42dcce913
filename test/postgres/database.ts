/** A database of one's own on the tests' PostgreSQL. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"

/** Runs one statement after another on a connection of its own, outside any transaction. */
export const onServer = (url: string, statement: string): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    return yield* sql.unsafe(statement)
  }).pipe(
    Effect.provide(Layer.fresh(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))),
    Effect.scoped,
    Effect.orDie
  )

/**
 * Creates a database on the server at `url`, dropped with the scope, and returns its address.
 *
 * It sorts text as people do where the server can: a key column that lacks `COLLATE "C"` shows.
 */
export const freshDatabaseOn = Effect.fnUntraced(function*(url: string): Effect.fn.Return<string, never, Scope.Scope> {
  const name = `perdure_${randomBytes(6).toString("hex")}`
  const create = `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`
  yield* onServer(url, `${create} STRATEGY file_copy LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'`).pipe(
    Effect.catchCause(() => onServer(url, create))
  )
  yield* Effect.addFinalizer(() => onServer(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const address = new URL(url)
  address.pathname = `/${name}`
  return address.toString()
})

/** A database on the server that this test run uses. One per spec file is the habit. */
export const freshDatabase: Effect.Effect<string, never, Scope.Scope> = Effect.suspend(() =>
  freshDatabaseOn(inject("postgresUrl"))
)
