/** Deleting done workflows with everything that is stored of them: each, or whole families. */
import type { DeleteAnswer } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"

/** A done workflow has no other rows: what is short-lived went when it ended. */
const belongings = [
  ["perdure_step", "workflow_id"],
  ["perdure_attempt", "workflow_id"],
  ["perdure_message", "workflow_id"],
  ["perdure_event", "workflow_id"],
  ["perdure_entry", "workflow_id"],
  ["perdure_attribute", "workflow_id"],
  ["perdure_workflow", "workflow_id"]
] as const

export const erase = (database: Database, workflowId: string): void => {
  for (const [table, column] of belongings) database.run(`DELETE FROM ${table} WHERE ${column} = ?`, workflowId)
}

interface Member {
  readonly workflow_id: string
  readonly status: WorkflowStatus
  readonly done: 0 | 1
}

/** The workflow, and with `children` theirs, however deep: itself first. Ids used again may make a circle of parents. */
const family = (database: Database, workflowId: string, children: boolean): ReadonlyArray<Member> =>
  database.all(
    `WITH RECURSIVE member (workflow_id) AS (
       SELECT workflow_id FROM perdure_workflow WHERE workflow_id = ?
       UNION
       SELECT w.workflow_id FROM member m JOIN perdure_workflow w ON w.parent_id = m.workflow_id WHERE ?
     )
     SELECT w.workflow_id, w.status,
       NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.workflow_id) AS done
     FROM member m CROSS JOIN perdure_workflow w USING (workflow_id)`,
    workflowId,
    children ? 1 : 0
  )

/**
 * Each with its family or not at all. All are looked at before any is deleted: one that is in another's family is
 * deleted, too.
 */
export const removeAll = (
  database: Database,
  workflowIds: ReadonlyArray<string>,
  children: boolean
): ReadonlyArray<DeleteAnswer> => {
  const families = workflowIds.map((workflowId) => family(database, workflowId, children))
  return workflowIds.map((workflowId, index) => {
    const members = families[index]!
    if (members.length === 0) return { workflowId, result: "unknown" }
    const running = members.find(({ done }) => done === 0)
    if (running !== undefined) return { workflowId, result: "running", status: running.status }
    for (const { workflow_id } of members) erase(database, workflow_id)
    return { workflowId, result: "deleted" }
  })
}
