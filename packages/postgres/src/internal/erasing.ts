/** Deleting: by operators, one by one or with children, and by retention, in batches. */
import * as Effect from "effect/Effect"
import { deleting, type Done, type Member, type Retention, type StoreError } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { retryLocks } from "./locks.ts"
import { familyStatement } from "./sql/erase.ts"

/** An operator waits for a flush, not for a stranger: then the whole call is tried again. */
const lockMs = 500
/** So many of what is not retained in one commit. */
const batch = 1_000
/** So many are looked for at once, since looking may read all that is old; and how long what was found is good for. */
const lookFor = 20_000
const goodForMs = 60_000

export const make = (database: Database) => {
  const s = database.s
  const eraseSql = `SELECT group_ FROM ${s}.erase_1($1::integer, $2::integer[], $3::text[], $4::bigint[], $5::boolean)`
  const familySql = familyStatement(s)
  const retainableSql = `SELECT id_, completed_ FROM ${s}.retainable_1($1::text, $2::bigint, $3::integer, $4::integer)`

  /** Which of the groups are gone, by position. */
  const erase = (
    groups: ReadonlyArray<ReadonlyArray<Done>>,
    unaskedOnly: boolean
  ): Effect.Effect<ReadonlySet<number>, StoreError> =>
    Effect.map(
      retryLocks(database.run(eraseSql, [
        lockMs,
        groups.flatMap((group, i) => group.map(() => i)),
        groups.flatMap((group) => group.map(({ workflowId }) => workflowId)),
        groups.flatMap((group) => group.map(({ completedAt }) => String(completedAt))),
        unaskedOnly
      ])),
      (rows) => new Set(rows.map(([group]) => Number(group)))
    )

  const remove = deleting({
    look: (workflowIds, children) =>
      Effect.map(
        database.query(familySql, [workflowIds, children]),
        (rows) =>
          rows.map(([root, workflowId, status, completedAt]): Member => ({
            root: root as string,
            workflowId: workflowId as string,
            status: status as WorkflowStatus,
            completedAt: completedAt === null ? null : Number(completedAt)
          }))
      ),
    erase: (groups) => erase(groups, false)
  })

  /** What the last look found and nobody has deleted yet, for the retention that is going on. */
  let found: { readonly key: string; readonly until: number; readonly done: Array<Done> } | undefined

  const look = (retention: Retention) =>
    Effect.map(
      database.query(retainableSql, [
        retention.name,
        retention.olderThanMs === null ? null : String(Math.round(retention.olderThanMs)),
        retention.keep === null ? null : String(Math.max(0, Math.trunc(retention.keep))),
        lookFor
      ]),
      (rows): Array<Done> =>
        rows.map(([workflowId, completedAt]) => ({
          workflowId: workflowId as string,
          completedAt: Number(completedAt)
        }))
    )

  const retain = (retention: Retention, limit: number): Effect.Effect<number, StoreError> =>
    Effect.gen(function*() {
      const key = JSON.stringify([retention.name, retention.olderThanMs, retention.keep])
      if (found?.key !== key || found.until < Date.now()) found = undefined
      let deleted = 0
      while (deleted < limit) {
        let looked = false
        if (found === undefined || found.done.length === 0) {
          looked = true
          found = { key, until: Date.now() + goodForMs, done: yield* look(retention) }
          if (found.done.length === 0) break
        }
        const some: Array<Done> = found.done.splice(0, Math.min(batch, limit - deleted))
        const erased = (yield* erase(some.map((one) => [one]), true)).size
        deleted += erased
        // what was just seen is somebody else's by now
        if (looked && erased === 0) break
      }
      if (deleted < limit) found = undefined
      return deleted
    })

  return { delete: remove, retain }
}
