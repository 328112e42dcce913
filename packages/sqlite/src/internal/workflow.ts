/** Looking at workflows: one, a page, or the outcomes that waiters ask for. */
import type { ListFilter, Outcome, WorkflowRow } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { whereOf } from "./filter.ts"
import type { WorkflowColumns } from "./rows.ts"
import { selectSummary, selectWorkflow, toWorkflow } from "./rows.ts"

export const get = (database: Database, workflowId: string): WorkflowRow | null => {
  const row = database.get<WorkflowColumns>(`${selectWorkflow} WHERE w.workflow_id = ?`, workflowId)
  return row === undefined ? null : toWorkflow(row)
}

/** A total order, (created_at, workflow_id), so that pages neither repeat nor skip. */
export const list = (database: Database, filter: ListFilter): ReadonlyArray<WorkflowRow> => {
  const { params, text } = whereOf(filter)
  const order = filter.order === "asc" ? "ASC" : "DESC"
  const select = filter.values === false ? selectSummary : selectWorkflow
  const sql = `${select} ${text} ORDER BY w.created_at ${order}, w.workflow_id ${order} LIMIT ?`
  return database.all<WorkflowColumns>(sql, ...params, filter.limit).map(toWorkflow)
}

export const count = (database: Database, filter: ListFilter): number => {
  const { params, text } = whereOf(filter)
  return database.get<{ n: number }>(
    `SELECT count(*) AS n FROM (SELECT 1 FROM perdure_workflow w ${text} LIMIT ?)`,
    ...params,
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
