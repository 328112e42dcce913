/** Attributes: for people, and to search by. */
import type { AttributeValue } from "perdure/Store"
import type { Database } from "./database.ts"

type Attributes = Readonly<Record<string, AttributeValue>>

export const insertAll = (database: Database, workflowId: string, attributes: Attributes): void => {
  for (const [key, value] of Object.entries(attributes)) {
    database.run(
      "INSERT INTO perdure_attribute (workflow_id, key, value) VALUES (?, ?, ?)",
      workflowId,
      key,
      JSON.stringify(value)
    )
  }
}

/** Replaces all of them. False: there is no such workflow. */
export const set = (database: Database, workflowId: string, attributes: Attributes): boolean => {
  if (database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) === undefined) return false
  database.run("DELETE FROM perdure_attribute WHERE workflow_id = ?", workflowId)
  insertAll(database, workflowId, attributes)
  return true
}
