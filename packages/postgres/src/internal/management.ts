/** What operators do to workflows from outside. */
import * as Effect from "effect/Effect"
import type { AttributeValue, CancelAnswer, Phase, ResumeAnswer, StoreError } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { retryLocks } from "./locks.ts"
import { lapseStatement } from "./recovery.ts"

/** An operator waits for a flush, not for a stranger: then the whole call is tried again. */
const lockMs = 500

export const make = (database: Database) => {
  const s = database.s
  const lapse = lapseStatement(s)

  const cancel = (
    workflowIds: ReadonlyArray<string>,
    options: { readonly reason: string; readonly childReason: string; readonly children: boolean }
  ): Effect.Effect<ReadonlyArray<CancelAnswer>, StoreError> =>
    Effect.map(
      retryLocks(database.run(
        `SELECT id_, result_, phase_, status_ FROM ${s}.cancel_1($1::integer, $2::text[], $3::text, $4::text, `
          + "$5::boolean) ORDER BY id_",
        [lockMs, workflowIds, options.reason, options.childReason, options.children]
      )),
      (rows) => {
        const asked = new Set(workflowIds)
        // A row of one that was not asked for is of a descendant that this has cancelled.
        const descendants = rows.map(([id]) => id as string).filter((id) => !asked.has(id))
        return inOrder(
          [...workflowIds, ...descendants],
          rows,
          (workflowId, [, result, phase, status]): CancelAnswer => {
            switch (result) {
              case "cancelled":
                return { workflowId, result, phase: phase as Phase }
              case "done":
                return { workflowId, result, status: status as WorkflowStatus }
              default:
                return { workflowId, result: "unknown" }
            }
          }
        )
      }
    )

  const resume = (workflowIds: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<ResumeAnswer>, StoreError> =>
    Effect.map(
      Effect.andThen(
        database.query(lapse),
        retryLocks(database.run(
          `SELECT id_, result_, status_, holder_ FROM ${s}.resume_1($1::integer, $2::text[])`,
          [lockMs, workflowIds]
        ))
      ),
      (rows) =>
        inOrder(workflowIds, rows, (workflowId, [, result, status, holder]): ResumeAnswer => {
          switch (result) {
            case "resumed":
              return { workflowId, result }
            case "refused":
            case "compensated":
            case "held":
              return { workflowId, result, status: status as WorkflowStatus }
            case "duplicate":
              return { workflowId, result, status: status as WorkflowStatus, holder: holder as string }
            default:
              return { workflowId, result: "unknown" }
          }
        })
    )

  const setAttributes = (
    workflowId: string,
    attributes: Readonly<Record<string, AttributeValue>>
  ): Effect.Effect<boolean, StoreError> =>
    Effect.map(
      retryLocks(database.run(`SELECT ${s}.set_attributes_1($1::integer, $2::text, $3::text)`, [
        lockMs,
        workflowId,
        Object.keys(attributes).length === 0 ? null : JSON.stringify(attributes)
      ])),
      (rows) => rows[0]![0] === true
    )

  const position = (workflowId: string, limit: number): Effect.Effect<number | null, StoreError> =>
    Effect.map(
      database.query(`SELECT ${s}.position_1($1::text, $2::integer)`, [
        workflowId,
        String(Math.max(0, Math.trunc(limit)))
      ]),
      (rows) => rows[0]![0] === null ? null : Number(rows[0]![0])
    )

  return { cancel, resume, setAttributes, position }
}

const inOrder = <A>(
  ids: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<unknown>>,
  answer: (workflowId: string, row: ReadonlyArray<unknown>) => A
): ReadonlyArray<A> => {
  const byId = new Map(rows.map((row) => [row[0] as string, row]))
  return ids.map((id) => answer(id, byId.get(id) ?? [id, "unknown", null, null]))
}
