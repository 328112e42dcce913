/** A store where A runs the workflow "w", and where the application has a table. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Store } from "perdure/Store"
import { start } from "./operations.ts"

export const begin = Effect.gen(function*() {
  const store = yield* Store
  const sql = yield* SqlClient
  yield* store.join({ incarnation: "A", executorId: "local", version: "1" }, 60_000)
  yield* store.write([start("w")])
  yield* sql`CREATE TABLE note (text TEXT NOT NULL)`
  const notes = Effect.map(sql`SELECT text FROM note`.values, (rows) => rows.flat())
  return { store, sql, notes }
})
