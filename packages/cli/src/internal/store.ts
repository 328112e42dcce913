/** From an address to a store and an engine that runs nothing. Nothing is ever made in the database by opening it. */
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Engine from "perdure/Engine"
import type { SchemaState, Store, StoreError } from "perdure/Store"
import type { WorkflowError } from "perdure/WorkflowError"
import { type CliFailure, usage } from "./failing.ts"
import { Pooler, Schema, StoreAddress } from "./globals.ts"

/** A database, and what may be asked of it before it has a schema. */
export interface Place {
  readonly kind: "sqlite" | "postgres"
  readonly layer: (migrate: boolean) => Layer.Layer<Store, StoreError>
  readonly schemaState: Effect.Effect<SchemaState, StoreError>
  /** The script that brings a schema of this version to this release's. */
  readonly sql: (installed: number | null) => string
}

const remedy = "Give postgres://user:password@host:5432/database, or sqlite:path/to/file.db."

interface PostgresSettings {
  readonly schema: string
  readonly pooler: boolean
}

/** The place that an address means. It is never repeated in a message: it may hold a password. */
export const placeOf = (address: string, settings: PostgresSettings): Effect.Effect<Place, CliFailure> => {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address)?.[1]?.toLowerCase()
  switch (scheme) {
    case "postgres":
    case "postgresql":
      return isUrl(address)
        ? Effect.succeed(postgres(Redacted.make(address), settings))
        : Effect.fail(usage("The address of the store is no valid URL", `Escape what is special in it. ${remedy}`))
    case "sqlite":
      return sqliteAt(address.slice("sqlite:".length))
    case undefined:
      return Effect.fail(usage("The address of the store does not say which kind it is of", remedy))
    default:
      return Effect.fail(usage(`There is no store of the kind "${scheme}"`, remedy))
  }
}

const isUrl = (address: string): boolean => {
  try {
    const { hostname, password, pathname, username } = new URL(address)
    for (const part of [hostname, password, pathname, username]) decodeURIComponent(part)
    return /^[^/]*\/\/[^/]/.test(address)
  } catch {
    return false
  }
}

const sqliteAt = (filename: string): Effect.Effect<Place, CliFailure> => {
  if (filename === "" || filename === ":memory:") {
    return Effect.fail(usage("The address of the store names no file", "Give sqlite:path/to/file.db."))
  }
  const options = { filename: filename.startsWith("///") ? filename.slice(2) : filename }
  return Effect.succeed({
    kind: "sqlite",
    layer: (migrate) => SqliteStore.layer({ ...options, migrate }),
    schemaState: SqliteStore.schemaState(options),
    sql: SqliteStore.migrationSql
  })
}

const postgres = (url: Redacted.Redacted, { pooler, schema }: PostgresSettings): Place => {
  const options: PostgresStore.Options = {
    url,
    schema,
    // Not said: found out.
    pooler: pooler || undefined,
    maxConnections: 1,
    storeConnections: 2,
    applicationName: "perdure cli"
  }
  return {
    kind: "postgres",
    layer: (migrate) => PostgresStore.layer({ ...options, migrate }),
    schemaState: PostgresStore.schemaState(options),
    sql: (installed) => PostgresStore.migrationSql(installed, schema)
  }
}

const noStore = usage(
  "No store is given",
  "Give --store postgres://user@host/database or --store sqlite:path, or set PERDURE_STORE."
)

/** The place that the command line and the environment name. */
export const place = Effect.gen(function*() {
  const address = yield* StoreAddress
  const settings = { schema: yield* Schema, pooler: yield* Pooler }
  return yield* Option.isNone(address) ? Effect.fail(noStore) : placeOf(Redacted.value(address.value), settings)
})

/** The store and the engine of a place, for looking and acting. */
export const open = (place: Place): Layer.Layer<Store | Engine.Engine, StoreError | WorkflowError> =>
  Layer.provideMerge(Engine.layerClient({ poll: "200 millis" }), place.layer(false))
