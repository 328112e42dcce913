/** Workflows as `sql/rows.ts` builds them, read back: each on its own, so that a rotten one does not take the others along. */
import type { WorkflowRow } from "perdure/Store"

// every row is one JSON text, built by `workflowRow` in the shape of the contract, but for what is JSON inside
export interface StoredRow extends Omit<WorkflowRow, "roles" | "attributes"> {
  readonly roles: string
  readonly attributes: string | null
}

const parsed = (text: string | null): unknown => {
  try {
    return text === null ? null : JSON.parse(text)
  } catch {
    return null
  }
}

/** Roles and attributes that somebody has spoilt by hand are none. */
export const workflowFrom = (stored: StoredRow): WorkflowRow => {
  const roles = parsed(stored.roles)
  const attributes = parsed(stored.attributes)
  return {
    ...stored,
    roles: Array.isArray(roles) ? roles : [],
    attributes: typeof attributes === "object" && attributes !== null && !Array.isArray(attributes)
      ? attributes as WorkflowRow["attributes"]
      : {}
  }
}

export const workflowOf = (json: string): WorkflowRow => workflowFrom(JSON.parse(json) as StoredRow)
