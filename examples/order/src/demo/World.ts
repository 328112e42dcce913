/** Where the demo takes place: a database, the services process, and an application that can be killed and started. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { ConfigProvider, Context, Effect, Layer, Redacted, Schema, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Engine } from "perdure"
import * as Database from "../Database.ts"
import type { Order } from "../Order.ts"
import * as ServicesLog from "../ServicesLog.ts"
import { tables } from "../Shop.ts"
import * as Process from "./Process.ts"

/** A line of the application's log that was written by a step or by a body. */
const LogLine = Schema.Struct({
  message: Schema.String,
  annotations: Schema.Struct({ workflowId: Schema.String, step: Schema.optional(Schema.String) })
})
const isLogLine = Schema.is(LogLine)
const isEntry = Schema.is(ServicesLog.Entry)

/** What really ran: a step, or (without one) the body from its start. */
export interface Ran {
  readonly life: number
  readonly workflowId: string
  readonly step: string | undefined
  readonly message: string
}

/** Told while it happens. */
export interface Observer {
  readonly ran: (ran: Ran) => void
  readonly asked: (entry: ServicesLog.Entry) => void
  readonly killed: (pid: number) => void
  /** What the database holds of the workflow when its process is gone. */
  readonly recorded: (steps: ReadonlyArray<string>) => void
}

export interface Options {
  /** The database; without it, a SQLite file in a temporary folder. */
  readonly databaseUrl?: string | undefined
  /** The first mail about this order is delivered, but never answered. */
  readonly slowOrder: string
  readonly observer?: Observer
}

export interface Application {
  /** Until the step really runs in this life. */
  awaitStep(name: string): Effect.Effect<void, Process.Unexpected>
  /** `kill -9` */
  readonly kill: Effect.Effect<void>
}

export class World extends Context.Service<World, {
  /** Starts the application, with an order or without. Each start is another life of it. */
  startApplication(order?: Order): Effect.Effect<Application>
  /** The next request that the services get, of those not yet waited over. */
  awaitRequest(service: ServicesLog.Entry["service"], key: string): Effect.Effect<void, Process.Unexpected>
  readonly observer: Observer | undefined
  /** Everything that ran so far. */
  readonly ran: ReadonlyArray<Ran>
  readonly requests: Effect.Effect<ReadonlyArray<ServicesLog.Entry>>
}>()("demo/World") {}

/** Together with the world, the view of a client: an engine that runs nothing, and the database. */
export const layer = (options: Options): Layer.Layer<World | Engine.Engine | SqlClient.SqlClient, unknown> =>
  Layer.unwrap(Effect.gen(function*() {
    const folder = yield* temporaryFolder
    if (options.databaseUrl !== undefined) yield* cleanDatabase(options.databaseUrl)
    const database = { SQLITE_FILE: join(folder, "orders.db"), DATABASE_URL: options.databaseUrl }
    const Client = Engine.layerClient().pipe(
      Layer.provideMerge(Database.layer),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(database)))
    )
    return Layer.merge(Layer.effect(World, make(options, folder, database)), Client)
  }))

const make = Effect.fnUntraced(function*(options: Options, folder: string, database: Process.Environment) {
  const scope = yield* Effect.scope
  const log = join(folder, "services.log")
  const ran: Array<Ran> = []
  let life = 0

  const services = yield* Process.start("services", {
    env: { SERVICES_LOG: log, SLOW_ORDER: options.slowOrder },
    onLine: (line) => isEntry(line) && options.observer?.asked(line)
  })
  const url = yield* services.waitFor("the address", (line) => isAddress(line) ? line.url : undefined)

  const heard = (life: number) => (line: unknown): void => {
    if (!isLogLine(line)) return
    const { step, workflowId } = line.annotations
    const happened = { life, workflowId, step, message: line.message }
    ran.push(happened)
    options.observer?.ran(happened)
  }

  const startApplication = Effect.fnUntraced(function*(order?: Order) {
    const { kill, pid, waitFor } = yield* Process.start("main", {
      args: order === undefined ? [] : [JSON.stringify(order)],
      env: { ...database, SERVICES_URL: url },
      onLine: heard(++life)
    })
    const awaitStep = (name: string) =>
      Effect.asVoid(
        waitFor(`step ${name}`, (line) => isLogLine(line) && line.annotations.step === name ? true : undefined)
      )
    return { awaitStep, kill: Effect.andThen(kill, Effect.sync(() => options.observer?.killed(pid))) }
  }, Scope.provide(scope))

  return World.of({
    startApplication,
    awaitRequest: (service, key) =>
      services.waitFor(
        `a request of ${key} to ${service}`,
        (line) => isEntry(line) && line.service === service && line.key === key ? true : undefined
      ).pipe(Effect.asVoid),
    observer: options.observer,
    ran,
    requests: ServicesLog.read(log)
  })
})

const isAddress = Schema.is(Schema.Struct({ url: Schema.String }))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-order-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Removes what an earlier demo left in the database, now and at the end. */
const cleanDatabase = (databaseUrl: string) => {
  const drop = Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    for (const table of tables) yield* sql`DROP TABLE IF EXISTS ${sql(table)}`
    yield* sql`DROP SCHEMA IF EXISTS ${sql(Database.schema)} CASCADE`
  }).pipe(
    Effect.provide(Layer.fresh(PgClient.layer({ url: Redacted.make(databaseUrl), maxConnections: 1 })))
  )
  return Effect.acquireRelease(drop, () => Effect.orDie(drop))
}
