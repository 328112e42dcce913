/** The records and failed attempts of a workflow: in pages for the engine, merged per step for people. */
import type { AttemptRecord, StepRecord, StepRow } from "perdure/Store"
import type { Database } from "./database.ts"
import type { AttemptColumns, RecordColumns } from "./rows.ts"
import { attemptColumns, recordColumns, toAttempt, toRecord } from "./rows.ts"

export const pageSize = 1000

export interface Page {
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  readonly more: boolean
}

/** The records with a step id above `after`, and the attempts of the same span of steps. */
export const page = (database: Database, workflowId: string, after: number): Page => {
  const rows = database.all<RecordColumns>(
    `SELECT ${recordColumns} FROM perdure_step WHERE workflow_id = ? AND step_id > ? ORDER BY step_id LIMIT ?`,
    workflowId,
    after,
    pageSize + 1
  )
  const more = rows.length > pageSize
  const records = (more ? rows.slice(0, pageSize) : rows).map(toRecord)
  const attempts = database.all<AttemptColumns>(
    `SELECT ${attemptColumns} FROM perdure_attempt
     WHERE workflow_id = ? AND step_id > ? AND step_id <= ? ORDER BY step_id, attempt`,
    workflowId,
    after,
    // The last page also has the attempts of steps that have no record yet.
    more ? records[pageSize - 1]!.stepId : Number.MAX_SAFE_INTEGER
  ).map(toAttempt)
  return { records, attempts, more }
}

const all = { after: -1, limit: Number.MAX_SAFE_INTEGER }

export const steps = (database: Database, workflowId: string, { after, limit } = all): ReadonlyArray<StepRow> => {
  const records = database.all<RecordColumns>(
    `SELECT ${recordColumns} FROM perdure_step WHERE workflow_id = ? AND step_id > ? ORDER BY step_id LIMIT ?`,
    workflowId,
    after,
    limit
  )
  const attempts = database.all<AttemptColumns>(
    `SELECT ${attemptColumns} FROM perdure_attempt
     WHERE workflow_id = ? AND step_id > ? AND step_id <= ? ORDER BY step_id, attempt`,
    workflowId,
    after,
    // A full page has nothing beyond its last record.
    records.length === limit ? records.at(-1)!.step_id : Number.MAX_SAFE_INTEGER
  )
  const failed = Map.groupBy(attempts, (_) => _.step_id)
  const rows = records.map((row) => {
    const attempts = failed.get(row.step_id) ?? []
    failed.delete(row.step_id)
    return toStep(row, attempts)
  })
  for (const attempts of failed.values()) rows.push(toUnfinishedStep(attempts))
  return rows.sort((a, b) => a.stepId - b.stepId).slice(0, limit)
}

const toFailed = ({ at, error, retry_at }: AttemptColumns) => ({ error, at, retryAt: retry_at })

const toStep = (row: RecordColumns, attempts: ReadonlyArray<AttemptColumns>): StepRow => ({
  stepId: row.step_id,
  seq: row.seq,
  key: row.key,
  name: row.name,
  kind: row.kind,
  outcome: row.outcome,
  value: row.value,
  attempts: row.attempts,
  failedAttempts: attempts.map(toFailed),
  startedAt: row.started_at,
  completedAt: row.at,
  childId: row.child_id
})

/** Only steps are tried again, so a step is what it is. When it began was not written: when it first failed was. */
const toUnfinishedStep = (attempts: ReadonlyArray<AttemptColumns>): StepRow => ({
  stepId: attempts[0]!.step_id,
  seq: null,
  key: attempts[0]!.key,
  name: attempts[0]!.name,
  kind: "step",
  outcome: null,
  value: null,
  attempts: attempts.length,
  failedAttempts: attempts.map(toFailed),
  startedAt: attempts[0]!.at,
  completedAt: null,
  childId: null
})
