/** The check-up: the schema against what the migrations make, and rows that nothing will move. */
import { DatabaseSync } from "node:sqlite"
import type { NeedRow, SchemaProblem, Stray } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { scriptAfter } from "./migrations.ts"

interface ObjectColumns {
  readonly type: string
  readonly name: string
  readonly sql: string
}

/** What SQLite makes by itself for keys has no text, and what is not ours another prefix. */
const objects =
  "SELECT type, name, sql FROM sqlite_schema WHERE name GLOB 'perdure_*' AND sql IS NOT NULL ORDER BY name"

const fresh = (): ReadonlyArray<ObjectColumns> => {
  const database = new DatabaseSync(":memory:")
  try {
    database.exec(scriptAfter(null))
    // The rows' type is the statement's, which no compiler sees.
    return database.prepare(objects).all() as any
  } finally {
    database.close()
  }
}

/** Columns and constraints stand on lines of their own. */
const linesOf = (sql: string): ReadonlyArray<string> =>
  sql.split("\n").map((line) => line.replace(/--.*/, "").replace(/\s+/g, " ").replace(/, ?$/, "").trim())

/** Only the first: the rest of a text that somebody laid out anew says nothing. */
const differenceOf = (should: string, is: string): string => {
  const expected = linesOf(should)
  const found = linesOf(is)
  const lacking = expected.find((line) => !found.includes(line))
  const more = found.find((line) => !expected.includes(line))
  const how = lacking !== undefined
    ? `, without ${JSON.stringify(lacking)}`
    : more !== undefined
    ? `, with ${JSON.stringify(more)}`
    : ""
  return `it was made by other SQL${how}`
}

/**
 * SQLite keeps the text that an object was made by, so it tells of every change: of columns, keys, checks, and whatever else.
 */
export const schemaProblems = (database: Database): ReadonlyArray<SchemaProblem> => {
  const is = new Map(database.all<ObjectColumns>(objects).map(({ name, sql }) => [name, sql]))
  const problems = fresh().flatMap(({ name, sql, type }): ReadonlyArray<SchemaProblem> => {
    const object = `${type} ${name}`
    const found = is.get(name)
    if (found === undefined) return [{ object, problem: "missing", detail: "it is not there" }]
    return found === sql ? [] : [{ object, problem: "changed", detail: differenceOf(sql, found) }]
  })
  const checked = database.all<{ readonly quick_check: string }>("PRAGMA quick_check(10)")
  return [
    ...problems,
    ...checked.filter(({ quick_check }) => quick_check !== "ok").map(({ quick_check }): SchemaProblem => ({
      object: "file",
      problem: "damaged",
      detail: quick_check
    }))
  ]
}

interface StrayColumns {
  readonly workflow_id: string
  readonly status: WorkflowStatus | null
  readonly why: Stray["why"]
}

export const strays = (database: Database, limit: number): ReadonlyArray<Stray> =>
  database.all<StrayColumns>(
    `WITH resting AS (
       SELECT o.workflow_id, m.wake_at, m.waits
       FROM perdure_ownership o LEFT JOIN perdure_mailbox m ON m.workflow_id = o.workflow_id
       WHERE o.executor IS NULL AND o.rest <> 'block'
     )
     SELECT f.workflow_id, w.status, min(f.why) AS why FROM (
       SELECT w.workflow_id, 'lost' AS why FROM perdure_workflow w
       WHERE w.status IN ('ENQUEUED', 'DELAYED', 'PENDING', 'BLOCKED')
         AND NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.workflow_id)
       UNION ALL
       SELECT o.workflow_id, 'leftover' FROM perdure_ownership o
       WHERE NOT EXISTS (SELECT 1 FROM perdure_workflow w WHERE w.workflow_id = o.workflow_id)
       UNION ALL
       SELECT r.workflow_id, 'asleep' FROM resting r
       WHERE r.wake_at IS NULL AND r.waits IS NULL AND NOT EXISTS (
         SELECT 1 FROM perdure_queue_item i WHERE i.workflow_id = r.workflow_id AND i.state IN ('waiting', 'delayed')
       )
       UNION ALL
       SELECT r.workflow_id, 'missed' FROM resting r
       JOIN perdure_waiter x ON x.waiter_id = r.workflow_id AND x.topic = 'end'
       WHERE r.wake_at IS NULL AND r.waits IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = x.target_id)
     ) f LEFT JOIN perdure_workflow w ON w.workflow_id = f.workflow_id
     GROUP BY f.workflow_id ORDER BY f.workflow_id LIMIT ?`,
    limit
  ).map(({ status, why, workflow_id: workflowId }) => ({ workflowId, status, why }))

interface NeedColumns {
  readonly name: string
  readonly version: string
  readonly workflows: number
  readonly workflow_id: string
}

export const needs = (database: Database): ReadonlyArray<NeedRow> =>
  database.all<NeedColumns>(
    `SELECT o.name, o.version, count(*) AS workflows, min(o.workflow_id) AS workflow_id FROM perdure_ownership o
     WHERE o.executor IS NULL AND o.rest <> 'block' GROUP BY o.name, o.version ORDER BY o.name, o.version`
  ).map(({ name, version, workflow_id: workflowId, workflows }) => ({ name, version, workflows, workflowId }))
