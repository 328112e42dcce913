/** The store's own connections, apart from the application's: nothing here ever joins an ambient transaction. */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type { StoreError } from "perdure/Store"
import { classify, refusesSetting, toStoreError } from "./errors.ts"
import { quoteIdentifier } from "./sql/function.ts"

export type Values = ReadonlyArray<ReadonlyArray<unknown>>

export interface Connect {
  readonly config: PgConnection.Config
  readonly schema: string
  /** Whether a transaction pooler is between. */
  readonly pooler: boolean
}

/** A setting that says nothing, but whether a session's settings reach the server: see {@link isPooled}. */
const direct = "perdure.direct"

export interface Database {
  /** The schema's name, as given. */
  readonly schema: string
  /** The schema's name, quoted. */
  readonly s: string
  readonly pool: PgPool.PgPool
  /** One statement, one round trip, one commit, at READ COMMITTED whatever the server's default is. */
  readonly run: (sql: string, parameters: ReadonlyArray<unknown>) => Effect.Effect<Values, SqlError>
  /** The same, for who has no use for the reason of a failure. */
  readonly query: (sql: string, parameters?: ReadonlyArray<unknown>) => Effect.Effect<Values, StoreError>
  /** A read that is planned for its very parameters and not kept prepared. */
  readonly once: (sql: string, parameters: ReadonlyArray<unknown>) => Effect.Effect<Values, StoreError>
}

export const make = Effect.fnUntraced(function*(
  { config, pooler, schema }: Connect,
  maxConnections: number
): Effect.fn.Return<Database, SqlError, Scope.Scope> {
  const prepare = !pooler
  const pool = yield* PgPool.make({
    ...config,
    prepare,
    maxConnections,
    idleTimeout: Duration.minutes(5),
    // history pages are bounded, a single value is not
    maxMessageSize: 0x3fffffff,
    ...(pooler
      // a pooler refuses settings that it does not know
      ? {}
      : {
        startupParameters: {
          ...config.startupParameters,
          [direct]: "on",
          default_transaction_isolation: "read committed"
        }
      })
  })

  /**
   * Behind a pooler the session's default is the server's. Where that is not READ COMMITTED, our functions say so, and
   * from then on every statement gets a transaction of its own that names its level: three round trips, but right.
   */
  let wrapped = false
  const plain = (sql: string, parameters: ReadonlyArray<unknown>) =>
    pool.use((connection) => connection.queryValues(sql, parameters, prepare))
  const inTransaction = (sql: string, parameters: ReadonlyArray<unknown>) =>
    Effect.scoped(
      Effect.flatMap(pool.reserve, (connection) =>
        connection.query("BEGIN ISOLATION LEVEL READ COMMITTED", [], prepare).pipe(
          Effect.andThen(connection.queryValues(sql, parameters, prepare)),
          Effect.tap(() =>
            connection.query("COMMIT", [], prepare)
          ),
          Effect.onError(() => Effect.ignore(connection.query("ROLLBACK", [], prepare)))
        ))
    )

  const run = (sql: string, parameters: ReadonlyArray<unknown>): Effect.Effect<Values, SqlError> =>
    wrapped ? inTransaction(sql, parameters) : Effect.catch(plain(sql, parameters), (error) => {
      if (classify(error) !== "isolation") return Effect.fail(error)
      wrapped = true
      return inTransaction(sql, parameters)
    })

  return {
    schema,
    s: quoteIdentifier(schema),
    pool,
    run,
    query: (sql, parameters = []) => Effect.mapError(run(sql, parameters), toStoreError),
    once: (sql, parameters) =>
      Effect.mapError(pool.use((connection) => connection.queryValues(sql, parameters, false)), toStoreError)
  }
})

/** Whether a pooler is between after all: it refuses a setting that it does not know, or does not hand it on. */
export const isPooled = (database: Database): Effect.Effect<boolean, SqlError> =>
  database.pool.use((connection) =>
    connection.queryValues(`SELECT pg_catalog.current_setting('${direct}', true)`, [], false)
  )
    .pipe(
      Effect.map((rows) => rows[0]![0] !== "on"),
      Effect.catchIf(refusesSetting, () => Effect.succeed(true))
    )
