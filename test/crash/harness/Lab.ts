/** What a test works with: a store of its own, a temporary folder, programs, and a look from outside. */
import { describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Engine } from "perdure"
import type { Store } from "perdure/Store"
import { freshDatabase } from "../../postgres/database.ts"
import { type Place, storeLayer } from "./Place.ts"
import * as Program from "./Program.ts"
import * as SideEffects from "./sideEffects.ts"

export type Kind = Place["kind"]

export interface Lab {
  readonly place: Place
  readonly folder: string
  /** The file of side effects. */
  readonly log: string
  readonly sideEffects: () => ReadonlyArray<SideEffects.SideEffect>
  /** Runs a program on this place, made by the wrapper when there is one; killed with the scope. */
  readonly run: (
    role: string,
    config?: object,
    wrapper?: ReadonlyArray<string>
  ) => Effect.Effect<Program.Program, never, Scope.Scope>
  /** The store, the application's client and an engine that runs nothing. */
  readonly client: Layer.Layer<Store | SqlClient | Engine.Engine>
}

/** Declares the same claims for both stores. */
export const onBothStores = (what: string, claims: (kind: Kind) => void): void => {
  for (const kind of ["sqlite", "postgres"] as const) {
    describe(`${what}, on ${kind === "sqlite" ? "SQLite" : "PostgreSQL"}`, () => claims(kind))
  }
}

export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-crash-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }))
)

const labAt = (folder: string, place: Place): Lab => {
  const log = join(folder, "effects")
  return {
    place,
    folder,
    log,
    sideEffects: () => SideEffects.read(log),
    run: (role, config = {}, wrapper) => Program.run(role, { place, log, ...config }, folder, wrapper),
    client: Layer.orDie(Layer.provideMerge(Engine.layerClient({ poll: "50 millis" }), storeLayer(place)))
  }
}

/** A store of this kind with empty tables. */
export const make = (kind: Kind): Effect.Effect<Lab, never, Scope.Scope> =>
  kind === "sqlite"
    ? Effect.map(temporaryFolder, (folder) => labAt(folder, { kind, filename: join(folder, "store.db") }))
    : Effect.flatMap(freshDatabase, onDatabase)

/** A store in this PostgreSQL database. */
export const onDatabase = (url: string, connections?: number): Effect.Effect<Lab, never, Scope.Scope> =>
  Effect.map(
    temporaryFolder,
    (folder) => labAt(folder, { kind: "postgres", url, ...(connections === undefined ? {} : { connections }) })
  )
