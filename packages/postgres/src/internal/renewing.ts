/** The next life of a workflow. */
import * as Effect from "effect/Effect"
import type { Renew, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { retryLocks } from "./locks.ts"

/** How long it waits for a mailbox: only functions of ours hold one, for the time of a commit. */
const lockMs = 1_000

export const make = (database: Database) => {
  const sql = `SELECT ${database.s}.renew_1($1::integer, $2::text, $3::bigint, $4::text, $5::text, $6::integer)`

  const renew = (life: Renew): Effect.Effect<"renewed" | "fenced" | "busy", StoreError> =>
    Effect.map(
      retryLocks(
        database.run(sql, [
          lockMs,
          life.workflowId,
          String(life.epoch),
          life.payload,
          life.codec,
          String(life.firstStepId)
        ])
      ),
      // as the function words it
      ([row]) => row![0] as "renewed" | "fenced" | "busy"
    )

  return { renew }
}
