/** How the engine's behaviour is tested: every claim on both stores, in one process, through the public API. */
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Engine from "perdure/Engine"
import { Store, type StoreService } from "perdure/Store"
import type { WorkflowError } from "perdure/WorkflowError"
import { freshDatabase } from "../postgres/database.ts"
import * as Schemas from "../postgres/schemas.ts"

export type Kind = "sqlite" | "postgres"

/** What a program that uses an engine may need. */
export type Needs = Engine.Engine | Store | SqlClient

/** An engine that runs, and how to end it before the test does. */
export interface Running {
  readonly use: <A, E, R extends Needs>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>
  /** Gives its workflows back; steps that still run are interrupted. */
  readonly close: Effect.Effect<void>
}

export type Live = Layer.Layer<never, WorkflowError, Needs>

export interface Given {
  readonly kind: Kind
  readonly sql: SqlClient
  readonly store: Store["Service"]
  /** A number of this test's own, for names of tables. */
  readonly number: number
  /** Builds an engine with these workflows. */
  readonly engine: (
    live: Live | ReadonlyArray<Live>,
    options?: Engine.Options
  ) => Effect.Effect<Running, WorkflowError, Scope.Scope>
  /** An engine that runs nothing. */
  readonly client: Effect.Effect<Running, WorkflowError, Scope.Scope>
  /** The same, with these options instead of a short poll. */
  readonly clientOf: (
    options: Pick<Engine.Options, "version" | "poll">
  ) => Effect.Effect<Running, WorkflowError, Scope.Scope>
  /** How many rows each table of the store has. */
  readonly rows: Effect.Effect<Readonly<Record<string, number>>>
  /** What another process has: a store of its own on the same database. */
  readonly besides: Effect.Effect<Process, never, Scope.Scope>
  /** Another store, on empty tables in another database. */
  readonly elsewhere: Effect.Effect<Context.Context<Store | SqlClient>, never, Scope.Scope>
}

/** What is a process's own. */
export type Process = Omit<Given, "besides" | "elsewhere" | "rows">

/** The store that the engines of this test use, to be changed under them. */
export const storeOf = ({ store }: Pick<Given, "store">): { -readonly [K in keyof StoreService]: StoreService[K] } =>
  store

export type Claim = (
  name: string,
  body: (given: Given) => Effect.Effect<unknown, unknown, Scope.Scope>,
  only?: Kind
) => void

/** Short waits, leases that no moved clock ends, shutdowns that do not linger. */
export const options = {
  suspendAfter: "40 millis",
  lease: "36500 days",
  heartbeat: "100 millis",
  poll: "50 millis",
  replayGrace: "250 millis",
  shutdown: "20 millis"
} as const satisfies Engine.Options

/** Declares the claims for SQLite and for PostgreSQL. */
export const onBothStores = (concept: string, suite: (claim: Claim) => void): void => {
  runOn("sqlite", concept, suite, () => sqlite, rowsOfFile, Effect.void)
  const scope = Scope.makeUnsafe()
  let url = ""
  let schema = ""
  let schemas: Schemas.Schemas | undefined
  runOn(
    "postgres",
    concept,
    suite,
    () => Effect.map(schemas!.take, (taken) => postgres(url, schema = taken)),
    (sql) => rowsOfSchema(sql, schema),
    Effect.gen(function*() {
      url = yield* freshDatabase
      schemas = yield* Schemas.make(url)
    }).pipe(Effect.provideService(Scope.Scope, scope)),
    Scope.close(scope, Exit.void)
  )
}

type Opened = Effect.Effect<Context.Context<Store | SqlClient>, unknown, Scope.Scope>

/** A database, empty: opened as often as it is asked for. */
type Place = Effect.Effect<Opened, unknown, Scope.Scope>

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-engine-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const sqlite: Place = Effect.map(
  folder,
  (path) => Layer.build(Layer.fresh(SqliteStore.layer({ filename: join(path, "perdure.db"), synchronous: "NORMAL" })))
)

const postgres = (url: string, schema: string): Opened =>
  Layer.build(
    Layer.fresh(PostgresStore.layer({ url: Redacted.make(url), schema, storeConnections: 3, maxConnections: 4 }))
  )

/** All of them by one statement: some tests count before and after hundreds of calls. */
const countRows = (sql: SqlClient, tables: ReadonlyArray<string>) =>
  Effect.map(
    sql.unsafe<{ name: string; n: number | string }>(
      tables.map((table) => `SELECT '${table}' AS name, count(*) AS n FROM ${table}`).join(" UNION ALL ")
    ),
    (rows) => Object.fromEntries(rows.map(({ n, name }) => [name, Number(n)]))
  )

const rowsOfFile = (sql: SqlClient) =>
  Effect.flatMap(
    sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1`,
    (tables) => countRows(sql, tables.map(({ name }) => name))
  )

const rowsOfSchema = (sql: SqlClient, schema: string) =>
  Effect.flatMap(
    sql<{ name: string }>`SELECT tablename AS name FROM pg_tables WHERE schemaname = ${schema} ORDER BY 1`,
    (tables) => countRows(sql, tables.map(({ name }) => `${schema}.${name}`))
  )

const elsewhereOf: Record<Kind, Opened> = {
  sqlite: Effect.flatten(sqlite),
  postgres: Effect.flatMap(freshDatabase, (url) => postgres(url, "perdure"))
}

const runOn = (
  kind: Kind,
  concept: string,
  suite: (claim: Claim) => void,
  open: () => Place,
  rowsOf: (sql: SqlClient) => Effect.Effect<Readonly<Record<string, number>>, SqlError>,
  before: Effect.Effect<unknown>,
  after: Effect.Effect<unknown> = Effect.void
): void => {
  let number = 0
  describe(`${concept} on ${kind}`, () => {
    beforeAll(() => Effect.runPromise(Effect.asVoid(before)))
    afterAll(() => Effect.runPromise(Effect.asVoid(after)))
    suite((name, body, only) => {
      if (only !== undefined && only !== kind) return
      it.live(name, () =>
        Effect.gen(function*() {
          const opened = yield* open()
          const context = yield* opened
          return yield* body({
            ...withStore(kind, ++number, context),
            rows: Effect.orDie(rowsOf(Context.get(context, SqlClient))),
            besides: Effect.map(Effect.orDie(opened), (context) => withStore(kind, number, context)),
            elsewhere: Effect.orDie(elsewhereOf[kind])
          })
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
    })
  })
}

const withStore = (
  kind: Kind,
  number: number,
  context: Context.Context<Store | SqlClient>
): Process => {
  const build = (layer: Layer.Layer<Engine.Engine, WorkflowError, Store | SqlClient>) => running(context, layer)
  const clientOf: Given["clientOf"] = (given) => build(Layer.fresh(Engine.layerClient(given)))
  return {
    kind,
    number,
    sql: Context.get(context, SqlClient),
    store: Context.get(context, Store),
    engine: (live, given) =>
      build(workflows(live).pipe(Layer.provideMerge(Layer.fresh(Engine.layer({ ...options, ...given }))))),
    client: clientOf({ poll: options.poll }),
    clientOf
  }
}

const workflows = (live: Live | ReadonlyArray<Live>): Live =>
  Symbol.iterator in live ? Layer.mergeAll(Layer.empty, ...live) : live

const running = Effect.fnUntraced(function*(
  context: Context.Context<Store | SqlClient>,
  layer: Layer.Layer<Engine.Engine, WorkflowError, Store | SqlClient>
): Effect.fn.Return<Running, WorkflowError, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const engine = yield* Layer.buildWithScope(Layer.provide(layer, Layer.succeedContext(context)), scope)
  const services = Context.merge(context, engine)
  return {
    use: (effect) => Effect.provideContext(effect, services as Context.Context<any>),
    close: Scope.close(scope, Exit.void)
  }
})
