/**
 * The store on SQLite: one file, nothing to install, no other process.
 *
 * **Guarantees.** What a write acknowledges is on the disk (`synchronous: "FULL"`), also after a power cut. Any number
 * of processes on one machine may use the same file; they take turns to write. A waiting process never blocks its event
 * loop. Tables are created and migrated when the layer is built, by whichever process comes first; a file that a newer
 * release has migrated is refused, unchanged.
 *
 * **One writer.** A transaction of the application and the journal of its workflows exclude each other, in this process
 * and between processes. Keep transactions short: while one is open, no step of any workflow is recorded. A durable
 * operation inside a transaction waits for something that waits for it.
 *
 * **Limits.** The file must be on a local disk (WAL does not work over a network). Values bound through the
 * application's `SqlClient` must be of SQLite's types: booleans and dates are refused with an error that says what to
 * bind instead. Integers beyond 2^53 are an error to read unless `SqlClient.SafeIntegers` is set.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql/SqlClient"
import { type SchemaState, Store, type StoreError } from "perdure/Store"
import { scriptAfter } from "./internal/migrations.ts"
import * as NodeSqliteClient from "./internal/NodeSqliteClient.ts"
import { open, schemaState as readSchemaState } from "./internal/open.ts"
import { make } from "./internal/service.ts"
import { resolve, type Settings } from "./internal/settings.ts"

/** Where the database is, and how it is written. */
export interface Options {
  /**
   * Path of the database file; it is created when it does not exist, its folder is not. Or `":memory:"`: a database of
   * this layer alone, gone with it, for tests.
   */
  readonly filename: string
  /**
   * What a commit waits for. `"FULL"`: until it is on the disk. `"NORMAL"`: some ten times faster, survives a crash of
   * the process, but **a power cut loses the last commits**: steps that were acknowledged run again. Default: `"FULL"`.
   */
  readonly synchronous?: "FULL" | "NORMAL" | undefined
  /**
   * How long one operation waits for the database while others hold it, first within this process, then between
   * processes; after that it fails as `StoreUnavailable`. The engine tries again; an application's statement fails with
   * a `SqlError`. Must be longer than the longest transaction, and well below the lease of an executor.
   * Default: 10 seconds.
   */
  readonly lockTimeout?: Duration.Input | undefined
  /**
   * How often to look whether another process has committed (two microseconds each). It bounds how late this process
   * learns of work that another one made due; while others commit without a pause, ten times as late. Default: 10
   * milliseconds.
   */
  readonly hintInterval?: Duration.Input | undefined
  /**
   * Whether the file and its tables are made, or brought up to date, when they are not. False: the layer then fails with
   * `StoreNotMigrated`, and nothing is written. Default: true.
   */
  readonly migrate?: boolean | undefined
}

/** What {@link layer} uses where an option is not given. */
export const defaults = {
  synchronous: "FULL",
  lockTimeout: "10 seconds",
  hintInterval: "10 millis",
  migrate: true
} as const satisfies Omit<Options, "filename">

/**
 * Opens the file and provides the {@link Store} for the engine and, on the same file, the `SqlClient` for the
 * application: `Transaction.run` commits the application's rows and the workflow's record together through it.
 *
 * Two layers on one file are two stores with two clients, in one process too: a transaction belongs to the store whose
 * client it uses.
 *
 * Fails with `StoreMisconfigured` when an option makes no sense, when the file cannot be opened, read or written, is not
 * a SQLite database, or was migrated by a newer release; with `StoreUnavailable` when others hold it for longer than
 * `lockTimeout`, or the disk is full.
 *
 * **Hints.** Other processes' commits are noticed by polling, without knowing what changed: every hint is
 * `{ _tag: "Due", name: "*" }`, where `"*"` means that anything may have changed. A hint that is sent reaches
 * the engines that use this very store.
 */
export const layer = (options: Options): Layer.Layer<Store | SqlClient, StoreError> =>
  Layer.effectContext(Effect.gen(function*() {
    const settings = yield* settingsOf(options)
    const connections = yield* open(settings)
    const client = yield* NodeSqliteClient.make(connections.writer, connections.semaphore, settings.limitMs)
    return Context.make(Store, make(connections, client, settings)).pipe(Context.add(SqlClient, client))
  })).pipe(Layer.provide(Reactivity.layer))

/** Which schema the file has. Writes nothing, and makes no file: one that does not exist has none. */
export const schemaState = (options: Options): Effect.Effect<SchemaState, StoreError> =>
  Effect.flatMap(settingsOf(options), readSchemaState)

/** What the layer would run to bring a schema from a version (null: from nothing) to this release's, as a script. */
export const migrationSql = (installed: number | null): string => scriptAfter(installed)

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const settingsOf = (options: Options): Effect.Effect<Settings, StoreError> =>
  resolve({
    filename: options.filename,
    synchronous: options.synchronous ?? defaults.synchronous,
    lockTimeout: options.lockTimeout ?? defaults.lockTimeout,
    hintInterval: options.hintInterval ?? defaults.hintInterval,
    migrate: options.migrate ?? defaults.migrate
  })
