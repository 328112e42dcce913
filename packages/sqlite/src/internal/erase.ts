/** Deleting done workflows with everything that is stored of them: one by one, or by age and number. */
import type { DeleteAnswer, Retention } from "perdure/Store"
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

const erase = (database: Database, workflowId: string): void => {
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

export const retain = (database: Database, retention: Retention, limit: number, now: number): number => {
  let left = limit
  for (let name = retention.name ?? nextName(database, ""); name !== null; name = nextName(database, name)) {
    for (const workflowId of retainable(database, name, retention, left, now)) {
      erase(database, workflowId)
      left--
    }
    if (left <= 0 || retention.name !== null) break
  }
  return limit - left
}

/** The names that something done has, one probe for each. */
const nextName = (database: Database, after: string): string | null =>
  database.get<{ name: string | null }>(
    "SELECT min(name) AS name FROM perdure_workflow WHERE completed_at IS NOT NULL AND name > ?",
    after
  )!.name

/** Of one name, the oldest first. A child stays while its parent may still ask for its result. */
const retainable = (
  database: Database,
  name: string,
  { keep, olderThanMs }: Retention,
  limit: number,
  now: number
): ReadonlyArray<string> => {
  const newest = keep === null || keep <= 0 ? undefined : database.get<{ at: number; workflow_id: string }>(
    `SELECT completed_at AS at, workflow_id FROM perdure_workflow WHERE name = ? AND completed_at IS NOT NULL
     ORDER BY completed_at DESC, workflow_id DESC LIMIT 1 OFFSET ?`,
    name,
    keep - 1
  )
  // Fewer than so many are there.
  if (keep !== null && keep > 0 && newest === undefined) return []
  return database.all<{ workflow_id: string }>(
    `SELECT workflow_id FROM perdure_workflow w
     WHERE name = ? AND completed_at IS NOT NULL AND completed_at < ? AND (completed_at, workflow_id) < (?, ?)
       AND (parent_id IS NULL OR NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.parent_id))
     ORDER BY completed_at, workflow_id LIMIT ?`,
    name,
    olderThanMs === null ? Number.MAX_SAFE_INTEGER : now - olderThanMs,
    newest?.at ?? Number.MAX_SAFE_INTEGER,
    newest?.workflow_id ?? "",
    limit
  ).map((_) => _.workflow_id)
}
