/** Lists and counts, planned for their very values: a plan that suits all filters suits none. */
import type { ListFilter } from "perdure/Store"
import { whereOf } from "./filter.ts"
import { besides, workflowRow } from "./rows.ts"

export interface Statement {
  readonly sql: string
  readonly parameters: ReadonlyArray<unknown>
}

/** A page, by creation and id. What belongs to its rows is only looked up for them. */
export const listStatement = (s: string, filter: ListFilter): Statement => {
  const { condition, parameters } = whereOf(s, filter)
  const order = filter.order === "desc" ? "DESC" : "ASC"
  return {
    sql: `SELECT ${workflowRow(s, filter.values !== false)}::text FROM (
  SELECT * FROM ${s}.workflow w WHERE ${condition}
  ORDER BY w.created_at ${order}, w.workflow_id ${order} LIMIT $${parameters.length + 1}::integer
) w ${besides(s)}
ORDER BY w.created_at ${order}, w.workflow_id ${order}`,
    parameters: [...parameters, String(filter.limit)]
  }
}

/** Counts up to the limit. */
export const countStatement = (s: string, filter: ListFilter): Statement => {
  const { condition, parameters } = whereOf(s, filter)
  return {
    sql: `SELECT count(*) FROM (
  SELECT 1 FROM ${s}.workflow w WHERE ${condition} LIMIT $${parameters.length + 1}::integer
) w`,
    parameters: [...parameters, String(filter.limit)]
  }
}
