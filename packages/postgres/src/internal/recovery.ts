/** Recovery: what lapsed executors leave behind, and what has passed its deadline. */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { StoreError, Swept } from "perdure/Store"
import type { Database } from "./database.ts"
import { classify, toStoreError } from "./errors.ts"
import { shownForMs } from "./sql/executors.ts"
import { reorderStatement } from "./sql/queue.ts"

/** How often the executors to forget are looked for, and queues to be ordered once more. */
const tidyEveryMs = 60_000

/**
 * Declares lapsed executors dead. A statement and commit of its own, and the exact opposite of the heartbeat's
 * condition on the same row, so of the two exactly one succeeds.
 */
export const lapseStatement = (s: string): string => `
  UPDATE ${s}.executor e SET state = 'dead'
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n WHERE e.state <> 'dead' AND e.lease_until <= n.now`

/** Dead for an hour and owning nothing: forgotten, as soon as nobody is shown it. */
const forgetStatement = (s: string): string => `
  WITH gone AS (
    DELETE FROM ${s}.executor e USING (SELECT ${s}.now_ms() AS now OFFSET 0) n
    WHERE e.state = 'dead' AND e.lease_until < n.now - ${shownForMs}
      AND NOT EXISTS (SELECT FROM ${s}.ownership o WHERE o.executor = e.incarnation)
    RETURNING e.incarnation
  )
  DELETE FROM ${s}.revoked r USING gone g WHERE r.incarnation = g.incarnation`

const reason = (by: "timeout" | "parent", detail: string): string => JSON.stringify({ _tag: "Cancelled", by, detail })

/** How long the second pass waits for rows that a flush or a stranger holds. What it does not get comes next time. */
const lockMs = 100

export const make = (database: Database) => {
  const s = database.s
  const lapse = lapseStatement(s)
  const forget = forgetStatement(s)
  const reorder = reorderStatement(s)
  const because = [
    reason("timeout", "its deadline has passed"),
    reason("parent", "its parent was cancelled because its deadline has passed")
  ]
  let tidied = 0

  const recover = (wait: number, limit: number) =>
    Effect.map(
      database.run(`SELECT released_, dead_, more_, held_ FROM ${s}.recover_1($1::integer, $2::integer)`, [
        wait,
        limit
      ]),
      ([row]): Pass => ({
        released: Number(row![0]),
        ids: row![1] as ReadonlyArray<string>,
        more: row![2] === true,
        held: row![3] === true
      })
    )

  const expire = (wait: boolean, limit: number) =>
    Effect.map(
      database.run(
        `SELECT ids_, more_, held_ FROM ${s}.expire_1($1::boolean, $2::integer, $3::integer, $4::text, $5::text)`,
        [wait, lockMs, limit, ...because]
      ),
      ([row]): Pass => ({
        released: 0,
        ids: row![0] as ReadonlyArray<string>,
        more: row![1] === true,
        held: row![2] === true
      })
    )

  return (limit: number): Effect.Effect<Swept, StoreError> =>
    Effect.gen(function*() {
      yield* database.query(lapse)
      const recovered = yield* twice(recover(0, limit), recover(lockMs, limit))
      const expired = yield* twice(expire(false, limit), expire(true, limit))
      if (Date.now() - tidied > tidyEveryMs) {
        tidied = Date.now()
        yield* database.query(forget)
        yield* Effect.catch(database.run(reorder, []), lenient)
      }
      return {
        released: recovered.released,
        deadLettered: recovered.ids,
        expired: expired.ids,
        more: recovered.more || expired.more
      }
    })
}

interface Pass {
  readonly released: number
  readonly ids: ReadonlyArray<string>
  readonly more: boolean
  /** Rows were skipped because somebody held them. */
  readonly held: boolean
}

const none: Pass = { released: 0, ids: [], more: false, held: false }

/** Skips what is locked; then waits for it, once, and goes without it if that takes too long. */
const twice = (
  skipping: Effect.Effect<Pass, SqlError>,
  waiting: Effect.Effect<Pass, SqlError>
): Effect.Effect<Pass, StoreError> =>
  Effect.gen(function*() {
    const first = yield* Effect.catch(skipping, lenient)
    if (first.more || !first.held) return first
    const second = yield* Effect.catch(waiting, lenient)
    return {
      released: first.released + second.released,
      ids: [...first.ids, ...second.ids],
      more: second.more,
      held: second.held
    }
  })

const lenient = (error: SqlError): Effect.Effect<Pass, StoreError> => {
  const failure = classify(error)
  return failure === "busy" || failure === "conflict" ? Effect.succeed(none) : Effect.fail(toStoreError(error))
}
