/** Lists and counts, planned for their very values: a plan that suits all filters suits none. */
import type { ListFilter } from "perdure/Store"
import { narrowing, partsOf, whereOf } from "./filter.ts"
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

/** How many rows may be looked at; and whether those of the filter's statuses are too many to begin with. */
export interface Look {
  readonly look: number
  readonly crowded: boolean
}

/**
 * What both bounded looks begin with: `looked`, the first rows that indexes find, walked and not gathered, so that a page
 * that is soon full costs no more than itself; and `from`, all of them. Null: indexes find all that is asked for.
 */
const bounded = (s: string, filter: ListFilter, { crowded, look }: Look) => {
  const { found, rest } = partsOf(filter, crowded)
  if (Object.keys(rest).length === 0) return null
  const parameters: Array<unknown> = []
  const add = (value: number): string => `$${parameters.push(String(value))}::integer`
  const { condition } = whereOf(s, found, parameters)
  const direction = filter.order === "desc" ? "DESC" : "ASC"
  const order = `w.created_at ${direction}, w.workflow_id ${direction}`
  const from = `${s}.workflow w WHERE ${condition} ORDER BY ${order}`
  return {
    add,
    from,
    looked: `(SELECT * FROM ${from} LIMIT ${add(look)}) w WHERE ${narrowing(s, rest, parameters).condition}`,
    order,
    parameters
  }
}

/** A page of at most `look` rows, then, where that did not fill it, the last row looked at and the one behind it: by one snapshot. */
export const listWithinStatement = (s: string, filter: ListFilter, by: Look): Statement | null => {
  const parts = bounded(s, filter, by)
  if (parts === null) return null
  const { add, from, looked, order, parameters } = parts
  const limit = add(filter.limit)
  return {
    sql: `WITH page AS MATERIALIZED (SELECT * FROM ${looked} ORDER BY ${order} LIMIT ${limit})
SELECT w.json, w.created_at, w.workflow_id FROM (
  SELECT ${workflowRow(s, filter.values !== false)}::text AS json, w.created_at, w.workflow_id FROM page w ${besides(s)}
  UNION ALL
  SELECT NULL, w.created_at, w.workflow_id FROM (
    SELECT w.created_at, w.workflow_id FROM ${from} OFFSET ${add(by.look - 1)} LIMIT 2
  ) w WHERE (SELECT count(*) FROM page) < ${limit}
) w ORDER BY w.json IS NULL, ${order}`,
    parameters
  }
}

/** How many of at most `look` rows fit, counted up to the limit, and whether those are all. */
export const countWithinStatement = (s: string, filter: ListFilter, by: Look): Statement | null => {
  const parts = bounded(s, filter, by)
  if (parts === null) return null
  const { add, from, looked, parameters } = parts
  const limit = add(filter.limit)
  return {
    sql: `WITH counted AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT 1 FROM ${looked} LIMIT ${limit}) w)
SELECT n, CASE WHEN n < ${limit}
  THEN NOT EXISTS (SELECT FROM (SELECT 1 FROM ${from} OFFSET ${add(by.look)} LIMIT 1) w) ELSE false END FROM counted`,
    parameters
  }
}
