/** Looking at workflows: one, a page, or the outcomes that waiters ask for. */
import type { BoundedRows, ListFilter, Outcome, WorkflowRow } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Bind, Database } from "./database.ts"
import { crowdOf, heldBy, partsOf, whereOf } from "./filter.ts"
import type { WorkflowColumns } from "./rows.ts"
import { selectSummary, selectWorkflow, toWorkflow } from "./rows.ts"

export const get = (database: Database, workflowId: string): WorkflowRow | null => {
  const row = database.get<WorkflowColumns>(`${selectWorkflow} WHERE w.workflow_id = ?`, workflowId)
  return row === undefined ? null : toWorkflow(row)
}

/** More rows than this are not gathered and sorted for a page. */
const many = 20_000

const isCrowded = (database: Database, filter: ListFilter): boolean => {
  const crowd = crowdOf(filter)
  return crowd !== null && database.get(`SELECT 1 FROM (${crowd}) LIMIT 1 OFFSET ?`, many) !== undefined
}

/** A total order, (created_at, workflow_id), so that pages neither repeat nor skip. */
export const list = (database: Database, filter: ListFilter): ReadonlyArray<WorkflowRow> => {
  const { params, text } = whereOf(filter, isCrowded(database, filter))
  const order = filter.order === "asc" ? "ASC" : "DESC"
  const select = filter.values === false ? selectSummary : selectWorkflow
  const sql = `${select} ${text} ORDER BY w.created_at ${order}, w.workflow_id ${order} LIMIT ?`
  return database.all<WorkflowColumns>(sql, ...params, filter.limit).map(toWorkflow)
}

/** The ids of the first rows that indexes find, and the position of the one at which looking stops. */
const bounded = (database: Database, filter: ListFilter, look: number) => {
  const crowded = isCrowded(database, filter)
  const { found, rest } = partsOf(filter, crowded)
  if (Object.keys(rest).length === 0) return null
  const first = whereOf(found, crowded)
  const narrowed = whereOf(rest, true)
  const order = filter.order === "asc" ? "ASC" : "DESC"
  const by = `ORDER BY w.created_at ${order}, w.workflow_id ${order}`
  const from = `perdure_workflow w ${first.text} ${by} LIMIT ?`
  return {
    by,
    looked: `(SELECT w.* FROM ${from}) w ${narrowed.text}`,
    params: [...first.params, look, ...narrowed.params] as ReadonlyArray<Bind>,
    /** The row with this many before it. */
    at: (before: number) =>
      database.get<{ createdAt: number; workflowId: string }>(
        `SELECT w.created_at AS createdAt, w.workflow_id AS workflowId FROM ${from} OFFSET ?`,
        ...first.params,
        1,
        before
      )
  }
}

export const listWithin = (database: Database, filter: ListFilter, look: number): BoundedRows => {
  const parts = bounded(database, filter, look)
  if (parts === null) return { rows: list(database, filter), lookedTo: null }
  const { by, looked, params } = parts
  const ids = database.all<{ id: string }>(
    `SELECT w.workflow_id AS id FROM ${looked} ${by} LIMIT ?`,
    ...params,
    filter.limit
  ).map(({ id }) => id)
  const { after: _, ...page } = filter
  return {
    rows: list(database, { ...page, ids }),
    lookedTo: ids.length < filter.limit && parts.at(look) !== undefined
      ? parts.at(look - 1)!
      : null
  }
}

export const countWithin = (
  database: Database,
  filter: ListFilter,
  look: number
): { readonly count: number; readonly complete: boolean } => {
  const parts = bounded(database, filter, look)
  if (parts === null) {
    const found = count(database, filter)
    return { count: found, complete: found < filter.limit }
  }
  const { n } = database.get<{ n: number }>(
    `SELECT count(*) AS n FROM (SELECT 1 FROM ${parts.looked} LIMIT ?)`,
    ...parts.params,
    filter.limit
  )!
  return { count: n, complete: n < filter.limit && parts.at(look) === undefined }
}

export const count = (database: Database, filter: ListFilter): number => {
  const { status: _, ...others } = filter
  const held = heldBy(filter)
  const { params, text } = held === null ? whereOf(filter, isCrowded(database, filter)) : whereOf(others, true)
  const from = held ?? ["perdure_workflow w"]
  return database.get<{ n: number }>(
    `SELECT count(*) AS n FROM (${from.map((rows) => `SELECT 1 FROM ${rows} ${text}`).join(" UNION ALL ")} LIMIT ?)`,
    ...from.flatMap(() => params),
    filter.limit
  )!.n
}

interface OutcomeColumns {
  readonly asked_id: string
  readonly name: string | null
  readonly status: WorkflowStatus
  readonly output: string | null
  readonly reason: string | null
  readonly done: 0 | 1
}

export const outcomes = (database: Database, workflowIds: ReadonlyArray<string>) => {
  const rows = database.all<OutcomeColumns>(
    `SELECT j.value AS asked_id, w.name, w.status, w.output, w.reason, o.workflow_id IS NULL AS done
     FROM json_each(?) j
     LEFT JOIN perdure_workflow w ON w.workflow_id = j.value
     LEFT JOIN perdure_ownership o ON o.workflow_id = j.value`,
    JSON.stringify([...new Set(workflowIds)])
  )
  const done: Array<Outcome> = []
  const blocked: Array<Outcome> = []
  const unknown: Array<string> = []
  for (const { asked_id: workflowId, done: isDone, name, output, reason, status } of rows) {
    if (name === null) unknown.push(workflowId)
    else if (isDone === 1) done.push({ workflowId, name, status, output, reason })
    else if (status === "BLOCKED") blocked.push({ workflowId, name, status, output, reason })
  }
  return { done, blocked, unknown }
}
