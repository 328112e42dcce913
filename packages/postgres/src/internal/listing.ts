/** Lists and counts: planned anew each time, with the values at hand, for a plan that suits all filters suits none. */
import * as Effect from "effect/Effect"
import type { ListFilter, StoreError, WorkflowRow } from "perdure/Store"
import type { Database } from "./database.ts"
import { whereOf } from "./filter.ts"
import { workflowOf } from "./rows.ts"
import { besides, workflowRow } from "./sql/rows.ts"

export const make = (database: Database) => {
  const s = database.s

  const list = (filter: ListFilter): Effect.Effect<ReadonlyArray<WorkflowRow>, StoreError> =>
    Effect.suspend(() => {
      const { condition, parameters } = whereOf(s, filter)
      const order = filter.order === "desc" ? "DESC" : "ASC"
      return Effect.map(
        database.once(
          `SELECT ${workflowRow(s)}::text FROM (
            SELECT * FROM ${s}.workflow w WHERE ${condition}
            ORDER BY w.created_at ${order}, w.workflow_id ${order} LIMIT $${parameters.length + 1}::integer
          ) w ${besides(s)}
          ORDER BY w.created_at ${order}, w.workflow_id ${order}`,
          [...parameters, String(filter.limit)]
        ),
        (rows) => rows.map(([json]) => workflowOf(json as string))
      )
    })

  const count = (filter: ListFilter): Effect.Effect<number, StoreError> =>
    Effect.suspend(() => {
      const { condition, parameters } = whereOf(s, filter)
      return Effect.map(
        database.once(
          `SELECT count(*) FROM (
            SELECT 1 FROM ${s}.workflow w WHERE ${condition} LIMIT $${parameters.length + 1}::integer
          ) w`,
          [...parameters, String(filter.limit)]
        ),
        (rows) => Number(rows[0]![0])
      )
    })

  return { list, count }
}
