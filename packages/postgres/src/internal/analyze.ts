/** The statistics of a fresh schema say that it is empty. They are made once it is not, without waiting for anybody. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StoreService } from "perdure/Store"
import type { Database } from "./database.ts"

const afterOperations = 5_000

export const after = Effect.fnUntraced(function*(
  database: Database,
  analyzed: boolean,
  write: StoreService["write"]
): Effect.fn.Return<StoreService["write"], never, Scope.Scope> {
  if (analyzed) return write
  const s = database.s
  const scope = yield* Effect.scope
  let left = afterOperations
  // only the tables' owner may: for anybody else it is a warning, and autovacuum comes by in time
  const analyze = database.query(`UPDATE ${s}.meta SET analyzed = true WHERE one AND NOT analyzed RETURNING 1`).pipe(
    Effect.flatMap((rows) =>
      rows.length === 0 ? Effect.void : Effect.forEach(
        ["workflow", "ownership", "step", "mailbox", "attempt", "attribute", "queue_item"],
        (table) => database.query(`ANALYZE ${s}.${table}`),
        { discard: true }
      )
    ),
    Effect.ignore
  )
  return (batch) => {
    if (left <= 0) return write(batch)
    left -= batch.length
    return left > 0 ? write(batch) : Effect.tap(write(batch), () => Effect.forkIn(analyze, scope))
  }
})
