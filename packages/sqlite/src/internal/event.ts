/**
 * Events: one row for each step that has set one, so that a fork can have what its steps had set. The value is the
 * one that was set last, whichever step did.
 */
import type { EventAnswer, EventRow, EventWrite } from "perdure/Store"
import type { Database } from "./database.ts"

export const set = (database: Database, workflowId: string, event: EventWrite, now: number): void => {
  const before = latestOf(database, workflowId, event.key)
  const same = before?.value === event.value && before.codec === event.codec
  database.run(
    `INSERT INTO perdure_event (workflow_id, key, step_id, ordinal, value, codec, at)
     VALUES (?, ?, ?,
       (SELECT coalesce(max(ordinal), 0) + 1 FROM perdure_event WHERE workflow_id = ? AND key = ?), ?, ?, ?)
     ON CONFLICT (workflow_id, key, step_id) DO UPDATE SET
       ordinal = excluded.ordinal, value = excluded.value, codec = excluded.codec, at = excluded.at`,
    workflowId,
    event.key,
    event.stepId,
    workflowId,
    event.key,
    event.value,
    event.codec,
    same ? before.at : now
  )
}

/** Whether the step has set it to this. Of two values in one write the later one is what is there. */
export const wasSet = (database: Database, workflowId: string, event: EventWrite): boolean =>
  database.get(
    "SELECT 1 FROM perdure_event WHERE workflow_id = ? AND key = ? AND step_id = ?",
    workflowId,
    event.key,
    event.stepId
  ) !== undefined

const latest = `
  SELECT value, codec, at FROM perdure_event e
  WHERE e.workflow_id = ? AND e.key = ? ORDER BY ordinal DESC LIMIT 1`

const latestOf = (database: Database, workflowId: string, key: string): Omit<EventRow, "key"> | undefined =>
  database.get(latest, workflowId, key)

export const valueOf = (database: Database, workflowId: string, key: string): string | undefined =>
  latestOf(database, workflowId, key)?.value

export const answer = (database: Database, workflowId: string, key: string): EventAnswer => {
  const value = valueOf(database, workflowId, key)
  if (value !== undefined) return { _tag: "Set", value }
  const row = database.get<{ done: 0 | 1 }>(
    `SELECT NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.workflow_id) AS done
     FROM perdure_workflow w WHERE w.workflow_id = ?`,
    workflowId
  )
  return { _tag: row === undefined ? "Unknown" : row.done === 1 ? "Done" : "Open" }
}

/** Keys are not empty, and a limit below 0 is none. */
export const events = (
  database: Database,
  workflowId: string,
  { after, limit }: { readonly after: string | null; readonly limit: number } = { after: null, limit: -1 }
): ReadonlyArray<EventRow> =>
  database.all<EventRow>(
    `SELECT key, value, codec, at FROM perdure_event e
     WHERE workflow_id = ? AND key > ? AND ordinal =
       (SELECT max(ordinal) FROM perdure_event l WHERE l.workflow_id = e.workflow_id AND l.key = e.key)
     ORDER BY key LIMIT ?`,
    workflowId,
    after ?? "",
    limit
  ).map((row) => ({ ...row }))

/** All but the values: no fork can ask for earlier ones. */
export const forget = (database: Database, workflowId: string): void => {
  database.run(
    `DELETE FROM perdure_event AS e WHERE e.workflow_id = ? AND EXISTS (
       SELECT 1 FROM perdure_event l WHERE l.workflow_id = e.workflow_id AND l.key = e.key AND l.ordinal > e.ordinal
     )`,
    workflowId
  )
}
