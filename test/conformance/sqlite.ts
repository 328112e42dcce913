import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Store } from "perdure/Store"
import type { Client, Target } from "./Backend.ts"

export const connect = Effect.fnUntraced(function*(target: Target) {
  if (target.kind !== "sqlite") return yield* Effect.die(new Error(`not SQLite: ${target.kind}`))
  // Nobody is to give up, however slow the disk is.
  const { filename } = target
  const context = yield* Layer.build(Layer.fresh(SqliteStore.layer({ filename, lockTimeout: "10 minutes" })))
  return { store: Context.get(context, Store), sql: Context.get(context, SqlClient) } satisfies Client
})
