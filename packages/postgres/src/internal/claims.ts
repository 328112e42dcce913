/** Taking due workflows, and reading on in a long history. */
import * as Effect from "effect/Effect"
import type { AttemptRecord, Claimed, StepRecord, StoreError, StoreService } from "perdure/Store"
import type { Database } from "./database.ts"
import { type StoredRow, workflowFrom } from "./rows.ts"

interface Page {
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  readonly more: boolean
}

export const make = (database: Database) => {
  const s = database.s
  const claimSql = `SELECT now_, next_, contended_, waiting_, claimed_::text
    FROM ${s}.claim_1($1::text, $2::text[], $3::text[], $4::text[], $5::integer)`
  const ownedSql =
    `SELECT o.workflow_id, o.epoch FROM ${s}.ownership o WHERE o.executor = $1::text ORDER BY o.workflow_id`
  const historySql = `SELECT ${s}.history_1($1::text, $2::integer)::text`

  const claim: StoreService["claim"] = (options) =>
    Effect.map(
      database.query(claimSql, [
        options.incarnation,
        options.served.map(({ name }) => name),
        options.served.map(({ version }) => version),
        options.queues,
        Math.max(0, Math.trunc(options.limit))
      ]),
      (rows) => {
        const claimed: Array<Claimed> = []
        for (const [, , , , json] of rows) {
          if (json === null) continue
          // built by claim_1 in the shape of the contract
          const { inbox, page, row } = JSON.parse(json as string) as { row: StoredRow; inbox: number; page: Page }
          claimed.push({ row: workflowFrom(row), inbox, ...page })
        }
        const [now, next, contended, waiting] = rows[0]!
        return {
          now: Number(now),
          claimed,
          nextDueAt: next === null ? null : Number(next),
          contended: contended === true,
          waiting: waiting === true
        }
      }
    )

  const owned = (incarnation: string): Effect.Effect<
    ReadonlyArray<{ readonly workflowId: string; readonly epoch: number }>,
    StoreError
  > =>
    Effect.map(
      database.query(ownedSql, [incarnation]),
      (rows) => rows.map(([workflowId, epoch]) => ({ workflowId: workflowId as string, epoch: Number(epoch) }))
    )

  const history = (workflowId: string, after: number): Effect.Effect<Page, StoreError> =>
    Effect.map(
      database.query(historySql, [workflowId, after]),
      (rows) => JSON.parse(rows[0]![0] as string) as Page
    )

  return { claim, owned, history }
}
