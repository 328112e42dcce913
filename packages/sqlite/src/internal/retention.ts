/** Done workflows that may go by age and number. */
import type { Done, Retention } from "perdure/Store"
import type { Database } from "./database.ts"
import { erase } from "./erase.ts"

/** How far a retention has come: of a name, by the time of the end and the id. */
export interface Place {
  readonly name: string
  readonly completedAt: number
  readonly workflowId: string
}

/** So many rows are looked at in one read, whether they may go or not. */
const looked = 1_000

/** At most `limit` that may go, from a place on (null: the beginning), and where to go on; null: there is no more. */
export const look = (
  database: Database,
  retention: Retention,
  from: Place | null,
  limit: number,
  now: number
): { readonly done: ReadonlyArray<Done>; readonly place: Place | null } => {
  const name = from?.name ?? retention.name ?? nextName(database, "")
  if (name === null) return { done: [], place: null }
  const rows = oldest(database, retention, from ?? beginning(name), now)
  const free = rows.filter(({ asked_for }) => asked_for === 0)
  const done = free.slice(0, limit).map((row): Done => ({ workflowId: row.workflow_id, completedAt: row.completed_at }))
  const last = free.length > limit ? free[limit - 1] : rows.length === looked ? rows[looked - 1] : undefined
  if (last !== undefined) {
    return { done, place: { name, completedAt: last.completed_at, workflowId: last.workflow_id } }
  }
  const next = retention.name === null ? nextName(database, name) : null
  return { done, place: next === null ? null : beginning(next) }
}

const beginning = (name: string): Place => ({ name, completedAt: Number.MIN_SAFE_INTEGER, workflowId: "" })

/** Those of them that are as they were seen, and that no parent may ask for. How many those were. */
export const unlessAskedFor = (database: Database, seen: ReadonlyArray<Done>): number =>
  seen.filter(({ completedAt, workflowId }) => {
    const row = database.get<{ asked_for: 0 | 1 }>(
      `SELECT ${askedFor} AS asked_for FROM perdure_workflow w WHERE workflow_id = ? AND completed_at = ?`,
      workflowId,
      completedAt
    )
    if (row?.asked_for !== 0) return false
    erase(database, workflowId)
    return true
  }).length

/** A child stays while its parent may still ask for its result. */
const askedFor = `w.parent_id IS NOT NULL
       AND EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.parent_id)`

/** The names that something done has, one probe for each. */
const nextName = (database: Database, after: string): string | null =>
  database.get<{ name: string | null }>(
    "SELECT min(name) AS name FROM perdure_workflow WHERE completed_at IS NOT NULL AND name > ?",
    after
  )!.name

interface Old {
  readonly workflow_id: string
  readonly completed_at: number
  readonly asked_for: 0 | 1
}

/** Of one name those that are old enough, from a place on. */
const oldest = (
  database: Database,
  { keep, olderThanMs }: Retention,
  { completedAt, name, workflowId }: Place,
  now: number
): ReadonlyArray<Old> => {
  const newest = keep === null || keep <= 0 ? undefined : database.get<{ at: number; workflow_id: string }>(
    `SELECT completed_at AS at, workflow_id FROM perdure_workflow WHERE name = ? AND completed_at IS NOT NULL
     ORDER BY completed_at DESC, workflow_id DESC LIMIT 1 OFFSET ?`,
    name,
    keep - 1
  )
  // Fewer than so many are there.
  if (keep !== null && keep > 0 && newest === undefined) return []
  return database.all<Old>(
    `SELECT workflow_id, completed_at, ${askedFor} AS asked_for FROM perdure_workflow w
     WHERE name = ? AND completed_at IS NOT NULL AND completed_at < ?
       AND (completed_at, workflow_id) > (?, ?) AND (completed_at, workflow_id) < (?, ?)
     ORDER BY completed_at, workflow_id LIMIT ?`,
    name,
    olderThanMs === null ? Number.MAX_SAFE_INTEGER : now - olderThanMs,
    completedAt,
    workflowId,
    newest?.at ?? Number.MAX_SAFE_INTEGER,
    newest?.workflow_id ?? "",
    looked
  )
}
