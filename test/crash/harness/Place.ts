/** Where a test's workflows are stored: plain data, so that it can be handed to other processes. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Store, StoreError } from "perdure/Store"

export type Place =
  | { readonly kind: "sqlite"; readonly filename: string }
  | { readonly kind: "postgres"; readonly url: string; readonly connections?: number }

/** The store at the place, and the application's client. Loads only the driver that it needs. */
export const storeLayer = (place: Place): Layer.Layer<Store | SqlClient, StoreError> =>
  Layer.fresh(Layer.unwrap(Effect.promise(() => place.kind === "sqlite" ? sqlite(place.filename) : postgres(place))))

const sqlite = async (filename: string) => {
  const SqliteStore = await import("@perdure/sqlite/SqliteStore")
  return SqliteStore.layer({ filename })
}

// Few connections each: there may be fifty processes.
const postgres = async ({ connections = 3, url }: Place & { readonly kind: "postgres" }) => {
  const PostgresStore = await import("@perdure/postgres/PostgresStore")
  return PostgresStore.layer({ url: Redacted.make(url), storeConnections: connections, maxConnections: connections })
}
