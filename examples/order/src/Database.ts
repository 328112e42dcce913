/** The one database that holds the shop's tables and the workflows: PostgreSQL at `DATABASE_URL`, or a SQLite file. */
import { PostgresStore } from "@perdure/postgres"
import { SqliteStore } from "@perdure/sqlite"
import { Config, Effect, Layer, Option } from "effect"
import type { SqlClient } from "effect/sql"
import type { Store } from "perdure"

export const schema = "perdure_example"

export const layer: Layer.Layer<Store.Store | SqlClient.SqlClient, Store.StoreError | Config.ConfigError> = Layer
  .unwrap(
    Effect.gen(function*() {
      const url = yield* Config.option(Config.Redacted("DATABASE_URL"))
      const filename = yield* Config.String("SQLITE_FILE").pipe(Config.withDefault("orders.db"))
      return Option.match(url, {
        onNone: () => SqliteStore.layer({ filename }),
        onSome: (url) => PostgresStore.layer({ url, schema })
      })
    })
  )
