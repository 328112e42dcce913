/** Deleting done workflows with everything that is stored of them: each, or whole families. */
import type { Done, Member } from "perdure/Store"
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

interface Row {
  readonly at: number
  readonly workflow_id: string
  readonly status: WorkflowStatus
  readonly completed_at: number | null
}

const select = `SELECT w.rowid AS at, w.workflow_id, w.status,
    iif(o.workflow_id IS NULL, w.completed_at, NULL) AS completed_at
  FROM perdure_workflow w LEFT JOIN perdure_ownership o USING (workflow_id)`

/** So many rows are read in one go: nothing else of this process runs meanwhile. */
const looked = 1_000

/**
 * A look at a workflow, and with `children` at theirs, however deep, detached ones too: itself first, then level by level.
 * Each call of `more` reads some; false: there were no more.
 */
export const familyOf = (root: string, children: boolean) => {
  const members: Array<Member> = []
  // Ids used again may make a circle of parents.
  const seen = new Set<string>()
  const add = (rows: ReadonlyArray<Row>) => {
    for (const { completed_at: completedAt, status, workflow_id: workflowId } of rows) {
      if (seen.has(workflowId)) continue
      seen.add(workflowId)
      members.push({ root, workflowId, status, completedAt })
    }
  }
  // Whose children are next, and behind which of them.
  let next = 0
  let after = 0
  const more = (database: Database): boolean => {
    if (members.length === 0) add(database.all<Row>(`${select} WHERE w.workflow_id = ?`, root))
    for (let left = looked; children && left > 0;) {
      const parent = members[next]
      if (parent === undefined) return false
      const rows = database.all<Row>(
        `${select} WHERE w.parent_id = ? AND w.rowid > ? ORDER BY w.rowid LIMIT ?`,
        parent.workflowId,
        after,
        left
      )
      add(rows)
      after = rows.length < left ? 0 : rows.at(-1)!.at
      if (after === 0) next++
      left -= rows.length + 1
    }
    return children
  }
  return { members, more }
}

/** Each whole, or not at all where one of it is not as it was seen: resumed, or gone. Which are gone, by position. */
export const groups = (database: Database, given: ReadonlyArray<ReadonlyArray<Done>>): ReadonlySet<number> =>
  new Set(given.flatMap((members, index) => {
    if (!members.every((member) => isAsSeen(database, member))) return []
    for (const { workflowId } of members) erase(database, workflowId)
    return index
  }))

const isAsSeen = (database: Database, { completedAt, workflowId }: Done): boolean =>
  database.get(
    `SELECT 1 FROM perdure_workflow w WHERE workflow_id = ? AND completed_at = ?
       AND NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.workflow_id)`,
    workflowId,
    completedAt
  ) !== undefined
