/** Stores for properties: one of each kind for a whole suite, as several processes see it. */
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Store, type StoreService } from "perdure/Store"
import { afterAll, beforeAll, describe } from "vitest"
import { freshDatabase } from "../postgres/database.ts"

type Client = Context.Context<Store | SqlClient>

export interface Opened {
  readonly kind: "sqlite" | "postgres"
  /** Three clients of the same tables, as three processes have. */
  readonly clients: ReadonlyArray<Client>
  readonly stores: ReadonlyArray<StoreService>
}

/** Declares the suite for SQLite and for PostgreSQL. `opened` is for use in tests. */
export const onStores = (subject: string, suite: (opened: () => Opened) => void): void => {
  declare(
    "sqlite",
    subject,
    suite,
    Effect.map(folder, (path) => () => SqliteStore.layer({ filename: join(path, "perdure.db"), synchronous: "NORMAL" }))
  )
  declare(
    "postgres",
    subject,
    suite,
    Effect.map(
      freshDatabase,
      (url) => () => PostgresStore.layer({ url: Redacted.make(url), storeConnections: 3, maxConnections: 4 })
    )
  )
}

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-property-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const declare = <E>(
  kind: Opened["kind"],
  subject: string,
  suite: (opened: () => Opened) => void,
  layer: Effect.Effect<() => Layer.Layer<Store | SqlClient, E>, unknown, Scope.Scope>
): void => {
  const scope = Scope.makeUnsafe()
  let opened: Opened | undefined
  describe(`${subject} on ${kind}`, () => {
    beforeAll(async () => {
      const clients = await Effect.runPromise(Effect.provideService(
        Effect.flatMap(layer, (make) => Effect.forEach([0, 1, 2], () => Layer.build(Layer.fresh(make())))),
        Scope.Scope,
        scope
      ))
      opened = { kind, clients, stores: clients.map((client) => Context.get(client, Store)) }
    })
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    suite(() => opened!)
  })
}
