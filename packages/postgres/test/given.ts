/** Stores on a database of the spec file's own, and bare sessions that hold what a test wants held. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { afterAll, beforeAll } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import { type Operation, Store } from "perdure/Store"
import { freshDatabase } from "../../../test/postgres/database.ts"
import { encode, flushStatement } from "../src/internal/encoding.ts"
import { classify } from "../src/internal/errors.ts"
import { quoteIdentifier } from "../src/internal/sql/function.ts"
import * as PostgresStore from "../src/PostgresStore.ts"

let address = ""
let schemas = 0

/** Gives this spec file its database. */
export const useDatabase = (): void => {
  const scope = Scope.makeUnsafe()
  beforeAll(async () => {
    address = await Effect.runPromise(Effect.provideService(freshDatabase, Scope.Scope, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
}

export const url = (): string => address

export const freshSchema = (): string => `store_${++schemas}`

/** One process's worth of a store. */
export const open = (schema: string, options: PostgresStore.Options = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(PostgresStore.layer({ url: Redacted.make(address), schema, ...options }))),
    (context) => ({ store: Context.get(context, Store), sql: Context.get(context, SqlClient), schema })
  )

/** A session of a stranger: whatever it locks stays locked until the test says otherwise. */
export const session = Effect.suspend(() => PgConnection.make({ url: Redacted.make(address) }))

/** Runs a flush in a session's open transaction, as a backend does whose commit has not come yet. */
export const flushIn = (
  connection: PgConnection.PgConnection,
  schema: string,
  batch: ReadonlyArray<Operation>,
  lockMs = 100
) => connection.queryValues(flushStatement(quoteIdentifier(schema)), encode(batch, lockMs))

/** Again, in another schema, where a machine that stood still made somebody wait for a lock for as long as it may be waited for. */
export const unlessTimedOut = <A, E, R>(test: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(test, { while: (error) => isSqlError(error) && classify(error) === "busy", times: 9 })

/** Whether somebody waits for a lock that this session has: made while it does nothing, asked at any time. */
export const isWaitedFor = Effect.fnUntraced(function*(connection: PgConnection.PgConnection) {
  const watching = yield* session
  const [own] = yield* connection.queryValues("SELECT pg_backend_pid()", [])
  return Effect.map(
    watching.queryValues(
      `SELECT EXISTS (SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND $1::integer = ANY (pg_blocking_pids(pid)))`,
      [own![0]]
    ),
    ([row]) => row![0] === true
  )
})

/** Until somebody waits, or the fiber is through. */
export const untilWaitedFor = <A, E, E2>(waited: Effect.Effect<boolean, E2>, fiber: Fiber.Fiber<A, E>) =>
  Effect.repeat(waited, { until: (waits) => waits || fiber.pollUnsafe() !== undefined })

/** Until the fiber waits for this session, or is through without. */
export const untilHeld = <A, E>(holding: PgConnection.PgConnection, fiber: Fiber.Fiber<A, E>) =>
  Effect.flatMap(isWaitedFor(holding), (waited) => untilWaitedFor(waited, fiber))
