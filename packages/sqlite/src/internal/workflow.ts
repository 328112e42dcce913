/** Looking at workflows: one, a page, or the outcomes that waiters ask for. */
import type { ListFilter, Outcome, WorkflowRow } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Bind, Database } from "./database.ts"
import type { WorkflowColumns } from "./rows.ts"
import { selectWorkflow, toWorkflow } from "./rows.ts"

export const get = (database: Database, workflowId: string): WorkflowRow | null => {
  const row = database.get<WorkflowColumns>(`${selectWorkflow} WHERE w.workflow_id = ?`, workflowId)
  return row === undefined ? null : toWorkflow(row)
}

/** A total order, (created_at, workflow_id), so that pages neither repeat nor skip. */
export const list = (database: Database, filter: ListFilter): ReadonlyArray<WorkflowRow> => {
  const conditions: Array<string> = []
  const params: Array<Bind> = []
  const where = (condition: string, ...values: ReadonlyArray<Bind>) => {
    conditions.push(condition)
    params.push(...values)
  }
  // A list of any length is one parameter, so it is one statement.
  if (filter.status !== undefined) {
    where("w.status IN (SELECT value FROM json_each(?))", JSON.stringify(filter.status))
  }
  if (filter.names !== undefined) where("w.name IN (SELECT value FROM json_each(?))", JSON.stringify(filter.names))
  if (filter.parentId !== undefined) where("w.parent_id = ?", filter.parentId)
  if (filter.idPrefix !== undefined && filter.idPrefix !== "") {
    // A range, which an index serves; LIKE would also give its wildcards a meaning.
    where("w.workflow_id >= ? AND w.workflow_id < ?", filter.idPrefix, `${filter.idPrefix}\u{10FFFF}`)
  }
  if (filter.createdFrom !== undefined) where("w.created_at >= ?", filter.createdFrom)
  if (filter.createdTo !== undefined) where("w.created_at < ?", filter.createdTo)
  if (filter.after !== undefined) {
    const beyond = filter.order === "asc" ? ">" : "<"
    where(`(w.created_at, w.workflow_id) ${beyond} (?, ?)`, filter.after.createdAt, filter.after.workflowId)
  }
  const order = filter.order === "asc" ? "ASC" : "DESC"
  const sql = `${selectWorkflow}
    ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`}
    ORDER BY w.created_at ${order}, w.workflow_id ${order} LIMIT ?`
  return database.all<WorkflowColumns>(sql, ...params, filter.limit).map(toWorkflow)
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
