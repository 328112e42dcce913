import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { Store } from "perdure/Store"
import type { Client, Target } from "./Backend.ts"

export const connect = Effect.fnUntraced(function*(target: Target) {
  if (target.kind !== "postgres") return yield* Effect.die(new Error(`not PostgreSQL: ${target.kind}`))
  const { schema } = target
  const context = yield* Layer.build(Layer.fresh(PostgresStore.layer({ url: Redacted.make(target.url), schema })))
  return { store: Context.get(context, Store), sql: Context.get(context, SqlClient) } satisfies Client
})
