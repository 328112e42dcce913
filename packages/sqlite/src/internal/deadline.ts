/** When a workflow that is not done is to be cancelled. A row only while there is such a time. */
import type { Database } from "./database.ts"

export const insert = (database: Database, workflowId: string, at: number): void => {
  database.run("INSERT INTO perdure_deadline (workflow_id, at) VALUES (?, ?)", workflowId, at)
}

export const remove = (database: Database, workflowId: string): void => {
  database.run("DELETE FROM perdure_deadline WHERE workflow_id = ?", workflowId)
}

/** Those that have passed, the oldest first. */
export const passed = (database: Database, now: number, limit: number): ReadonlyArray<string> =>
  database.all<{ workflow_id: string }>(
    "SELECT workflow_id FROM perdure_deadline WHERE at <= ? ORDER BY at, workflow_id LIMIT ?",
    now,
    limit
  ).map((_) => _.workflow_id)
