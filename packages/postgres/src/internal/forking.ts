/** New workflows out of others' records. */
import * as Effect from "effect/Effect"
import type { Fork, ForkAnswer, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { retryLocks } from "./locks.ts"

/** An operator waits for a flush, not for a stranger: then the whole call is tried again. */
const lockMs = 500

export const make = (database: Database) => {
  const sql = `SELECT tag_, name_, steps_ FROM ${database.s}.fork_1($1::integer, $2::text, $3::text, $4::text, `
    + "$5::bigint, $6::integer, $7::text, $8::text, $9::bigint)"

  const fork = (request: Fork): Effect.Effect<ForkAnswer, StoreError> =>
    Effect.map(
      retryLocks(database.run(sql, [
        lockMs,
        request.sourceId,
        request.workflowId,
        request.token,
        String(request.epoch),
        String(request.fromStep),
        request.version,
        request.payload,
        request.timeoutMs === null ? null : String(Math.round(request.timeoutMs))
      ])),
      ([row]): ForkAnswer => {
        const [tag, name, steps] = row!
        switch (tag) {
          case "Forked":
            return { _tag: "Forked", name: name as string }
          case "NoSuchStep":
            return { _tag: "NoSuchStep", steps: Number(steps) }
          case "Exists":
            return { _tag: "Exists" }
          default:
            return { _tag: "Unknown" }
        }
      }
    )

  return { fork }
}
