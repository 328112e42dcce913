/** Whether an application's `SqlClient` reaches the very database that the store is in. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { StoreError } from "perdure/Store"
import { sqlState, toStoreError } from "./errors.ts"

export interface Ours {
  readonly s: string
  readonly storeId: string
  /** The client that the store's layer provides: known to be ours without asking. */
  readonly client: SqlClient
}

/** Asks once per client. */
export const make = ({ client: own, s, storeId }: Ours): (client: SqlClient) => Effect.Effect<boolean, StoreError> => {
  const known = new WeakMap<object, boolean>([[own, true]])
  return (client) => {
    const answer = known.get(client)
    if (answer !== undefined) return Effect.succeed(answer)
    const remember = (value: boolean) => {
      known.set(client, value)
      return value
    }
    if (client.onDialectOrElse({ pg: () => false, orElse: () => true })) return Effect.succeed(remember(false))
    return client.unsafe<{ store_id: string }>(`SELECT store_id::text AS store_id FROM ${s}.meta WHERE one`)
      .withoutTransform.pipe(
        Effect.map((rows) => remember(rows[0]?.store_id === storeId)),
        Effect.catch((error) =>
          // the server answered: no such table, no right to it. Otherwise nobody knows, and nothing is remembered
          sqlState(error)?.startsWith("42") || sqlState(error)?.startsWith("3")
            ? Effect.succeed(remember(false))
            : Effect.fail(toStoreError(error))
        )
      )
  }
}
