/**
 * Perdure's store on PostgreSQL: many processes, many machines, one database.
 *
 * **What is guaranteed.** A write that is answered is committed with the server's own durability; `synchronous_commit`
 * and `fsync` are left as the server has them, so turning them off there turns durability off here. Every write of an
 * executor is fenced by its epoch under a row lock.
 *
 * **What repeats.** When a connection dies in a commit the outcome is unknown. Every operation carries a key of its own,
 * so the engine submits the same one again, and the second submission is answered like the first.
 *
 * **Connections.** The store's own pool (`storeConnections`), two for heartbeats and hints, one that listens, and the
 * application's pool (`maxConnections`, opened as needed), provided as `SqlClient` and `PgClient`. They are apart so
 * that an application that holds all of its connections cannot starve the journal, and so that its sessions keep the
 * server's own defaults.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { ConnectionOptions } from "node:tls"
import { type SchemaState, Store, type StoreError, type StoreService } from "perdure/Store"
import * as Analyze from "./internal/analyze.ts"
import * as Archiving from "./internal/archiving.ts"
import * as Claims from "./internal/claims.ts"
import * as Database from "./internal/database.ts"
import * as Erasing from "./internal/erasing.ts"
import { misconfiguration, toStoreError } from "./internal/errors.ts"
import * as Events from "./internal/events.ts"
import * as Executors from "./internal/executors.ts"
import { fence } from "./internal/fencing.ts"
import * as Forking from "./internal/forking.ts"
import * as Hints from "./internal/hints.ts"
import * as Inspecting from "./internal/inspecting.ts"
import * as Listing from "./internal/listing.ts"
import * as Management from "./internal/management.ts"
import * as Messages from "./internal/messages.ts"
import { migrate, requireSchema, schemaState as readSchemaState, scriptAfter } from "./internal/migrate.ts"
import * as Observing from "./internal/observing.ts"
import * as Ours from "./internal/ours.ts"
import * as Outbox from "./internal/outbox.ts"
import * as Queries from "./internal/queries.ts"
import * as Queues from "./internal/queues.ts"
import * as Recovery from "./internal/recovery.ts"
import * as Renewing from "./internal/renewing.ts"
import * as Schedules from "./internal/schedules.ts"
import * as Transaction from "./internal/transaction.ts"
import * as Versions from "./internal/versions.ts"
import * as Within from "./internal/within.ts"
import * as Write from "./internal/write.ts"

/** How to reach the database, and how the store behaves there. */
export interface Options {
  /** A libpq URL, `postgres://user:password@host:5432/database`. Fields given beside it win over what it carries. */
  readonly url?: Redacted.Redacted | undefined
  /** A host name, or a directory of unix sockets when it begins with `/`. Default: `localhost`. */
  readonly host?: string | undefined
  /** Default: 5432. */
  readonly port?: number | undefined
  /** Default: the user name. */
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly ssl?: boolean | ConnectionOptions | undefined
  /**
   * The schema that holds the store's tables; made when missing. Any name of 1 to 63 bytes: it is always quoted. Two
   * schemas are two stores. Default: `perdure`.
   */
  readonly schema?: string | undefined
  /**
   * True behind a transaction-mode pooler (PgBouncer): nothing is prepared, nothing listens, hints are neither sent nor
   * received, so other processes learn by polling. Default: found out by the first connection, and a pooler is warned of.
   */
  readonly pooler?: boolean | undefined
  /** The application's pool, at most. Every `Transaction` under way holds one. Default: 10. */
  readonly maxConnections?: number | undefined
  /** The store's own pool, at most. More let more flushes commit together. Default: 6. */
  readonly storeConnections?: number | undefined
  /** Default: the `connect_timeout` of the URL, else 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** What `pg_stat_activity` shows. Default: `perdure`. */
  readonly applicationName?: string | undefined
  /**
   * Whether the schema is made, or brought up to date, when it is not. False: the layer then fails with
   * `StoreNotMigrated`, and nothing is written. Default: true.
   */
  readonly migrate?: boolean | undefined
}

/** Names of 64 bytes and more would be cut by the server, and two of them could become one. */
const checkSchema = (schema: string): Effect.Effect<string, StoreError> => {
  const bytes = Buffer.byteLength(schema)
  return bytes < 1 || bytes > 63 || schema.includes("\0") || /^pg_/i.test(schema)
    ? Effect.fail(misconfiguration(
      `Schema name ${JSON.stringify(schema)} cannot be used: 1 to 63 bytes, no NUL, not beginning with pg_`
    ))
    : Effect.succeed(schema)
}

/** A pool of none would be waited for for ever. */
const checkConnections = (options: Options): Effect.Effect<void, StoreError> => {
  for (const option of ["maxConnections", "storeConnections"] as const) {
    const count = options[option]
    if (count === undefined || (Number.isSafeInteger(count) && count >= 1)) continue
    return Effect.fail(misconfiguration(`The option ${option} is ${count}: it has to be a whole number from 1`))
  }
  return Effect.void
}

const connectOf = (options: Options) =>
  Effect.map(Effect.andThen(checkConnections(options), checkSchema(options.schema ?? "perdure")), (schema) => ({
    config: {
      url: options.url,
      host: options.host,
      port: options.port,
      database: options.database,
      username: options.username,
      password: options.password,
      ssl: options.ssl,
      connectTimeout: options.connectTimeout,
      keepAlive: "30 seconds",
      applicationName: options.applicationName ?? "perdure"
    } as const,
    schema
  }))

/** The store's connections, and whether a pooler is between: as the options say, else as the first of them finds out. */
const databaseOf = Effect.fnUntraced(function*(
  options: Options,
  connect: Omit<Database.Connect, "pooler">,
  connections: number
): Effect.fn.Return<{ readonly database: Database.Database; readonly pooler: boolean }, SqlError, Scope.Scope> {
  const { pooler } = options
  const database = yield* Database.make({ ...connect, pooler: pooler ?? false }, connections)
  if (pooler !== undefined || !(yield* Database.isPooled(database))) return { database, pooler: pooler ?? false }
  yield* Effect.logWarning(
    "Between this process and PostgreSQL is a pooler that shares connections: nothing is prepared, and processes learn "
      + "of one another by polling only. Connect to the server itself for more speed, or say `pooler: true`."
  )
  return { database: yield* Database.make({ ...connect, pooler: true }, connections), pooler: true }
})

/**
 * Opens the store: migrates the schema, then serves.
 *
 * Fails with `StoreUnavailable` when the database cannot be reached (start again later) and with `StoreMisconfigured`
 * when a right is missing, the credentials are wrong, or a newer release has migrated the schema; with `migrate: false`
 * also with `StoreNotMigrated`.
 */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Context.Context<Store | SqlClient | PgClient.PgClient>, StoreError, Scope.Scope> {
  const connect = yield* connectOf(options)
  const { config } = connect

  const { database, pooler } = yield* Effect.mapError(
    databaseOf(options, connect, options.storeConnections ?? 6),
    toStoreError
  )
  // One is used at a time. The second is for when the first does not answer: the lease does not wait for it.
  const pulse = yield* Effect.mapError(Database.make({ ...connect, pooler }, 2), toStoreError)
  const client = yield* PgClient.make({
    ...config,
    prepare: !pooler,
    maxConnections: options.maxConnections ?? 10
  }).pipe(Effect.mapError(toStoreError), Effect.provide(Reactivity.layer))

  yield* options.migrate === false ? requireSchema(database) : migrate(database)
  const s = database.s
  const identity = yield* database.query(`SELECT store_id::text, analyzed FROM ${s}.meta WHERE one`)
  const [storeId, analyzed] = identity[0] ?? []

  const now = Effect.map(database.query(`SELECT ${s}.now_ms()`), (rows) => Number(rows[0]![0]))
  const write = yield* Analyze.after(database, analyzed === true, Write.make(database))
  const hints = yield* pooler ? Hints.local : Hints.make(pulse, config, Effect.suspend(() => drain))
  const drain = Outbox.make(database, write, hints.hint, yield* Effect.scope)
  const sweep = Recovery.make(database)
  const isOurs = Ours.make({ s, storeId: storeId as string, client })
  const service = {
    name: "postgres",
    now,
    adjustClock: (byMs: number) =>
      Effect.asVoid(database.query(
        `UPDATE ${s}.meta SET clock_offset_ms = clock_offset_ms + $1::bigint WHERE one`,
        [String(Math.round(byMs))]
      )),
    write,
    ...Executors.make(database, pulse),
    ...Claims.make(database),
    sweep: (limit: number) => Effect.andThen(drain, sweep(limit)),
    ...Management.make(database),
    fence: fence(database),
    ...Inspecting.make(database),
    ...Archiving.make(database),
    ...Queries.make(database),
    ...Listing.make(database),
    ...Observing.make(database),
    ...Versions.make(database),
    ...Erasing.make(database),
    ...Forking.make(database),
    ...Renewing.make(database),
    ...Schedules.make(database),
    ...Queues.make(database),
    ...Messages.make(database),
    ...Events.make(database),
    transaction: Transaction.make({ s, client, isOurs }),
    within: Within.make({ s, isOurs, drain }),
    ...hints
  } satisfies StoreService
  return Context.make(Store, service).pipe(
    Context.add(SqlClient, client),
    Context.add(PgClient.PgClient, client)
  )
})

/** The store, and the application's `SqlClient` and `PgClient` on the same database. */
export const layer = (
  options: Options = {}
): Layer.Layer<Store | SqlClient | PgClient.PgClient, StoreError> => Layer.effectContext(make(options))

/**
 * The same from configuration: `DATABASE_URL` (read as a secret), `PERDURE_SCHEMA`, `PERDURE_POOLER`; `options` win.
 */
export const layerConfig = (
  options: Options = {}
): Layer.Layer<Store | SqlClient | PgClient.PgClient, StoreError | Config.ConfigError> =>
  Layer.effectContext(Effect.gen(function*() {
    const settings = yield* fromEnvironment
    return yield* make({ ...settings, ...options })
  }))

/** Which schema the database has. Writes nothing. Fails as {@link make} does when it cannot be asked. */
export const schemaState = (options: Options = {}): Effect.Effect<SchemaState, StoreError> =>
  Effect.scoped(Effect.gen(function*() {
    const { database } = yield* Effect.mapError(databaseOf(options, yield* connectOf(options), 1), toStoreError)
    return yield* readSchemaState(database)
  }))

/**
 * What {@link make} would run to bring a schema from a version (null: from nothing) to this release's, as a script.
 * `schema`: its name. Default: `perdure`.
 */
export const migrationSql = (installed: number | null, schema = "perdure"): string => scriptAfter(schema, installed)

const fromEnvironment = Config.all({
  url: Config.Redacted("DATABASE_URL"),
  schema: Config.String("PERDURE_SCHEMA").pipe(Config.withDefault("perdure")),
  pooler: Config.Boolean("PERDURE_POOLER").pipe(Config.withDefault(undefined))
})
