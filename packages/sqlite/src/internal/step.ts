/** What a workflow has done: its records and its failed attempts. Both are only ever inserted, until it begins anew. */
import type { AttemptRecord, StepRecord } from "perdure/Store"
import type { Database } from "./database.ts"
import { Unstorable } from "./database.ts"

/**
 * Inserted, or there already from the same write sent before. Another outcome in its place is refused: to go on would
 * leave the body with a value that a replay does not give it.
 */
export const insertRecord = (database: Database, workflowId: string, epoch: number, record: StepRecord): void => {
  const inserted = database.run(
    `INSERT INTO perdure_step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts,
       started_at, at, child_id, rollback, epoch)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (workflow_id, step_id) DO NOTHING`,
    workflowId,
    record.stepId,
    record.seq,
    record.asked,
    record.key,
    record.name,
    record.kind,
    record.outcome,
    record.value,
    record.attempts,
    record.startedAt,
    record.at,
    record.childId,
    record.rollback ? 1 : 0,
    epoch
  )
  if (inserted === 0 && !hasRecord(database, workflowId, epoch, record)) {
    throw new Unstorable(`step ${record.stepId} of ${workflowId} has another outcome already, or is of another owner`)
  }
}

export const hasRecord = (database: Database, workflowId: string, epoch: number, record: StepRecord): boolean =>
  database.get(
    `SELECT 1 FROM perdure_step
     WHERE workflow_id = ? AND step_id = ? AND epoch = ? AND key = ? AND kind = ? AND outcome = ? AND value = ?`,
    workflowId,
    record.stepId,
    epoch,
    record.key,
    record.kind,
    record.outcome,
    record.value
  ) !== undefined

export const isRecorded = (database: Database, workflowId: string, stepId: number): boolean =>
  database.get("SELECT 1 FROM perdure_step WHERE workflow_id = ? AND step_id = ?", workflowId, stepId) !== undefined

export const insertAttempt = (database: Database, workflowId: string, attempt: AttemptRecord): void => {
  database.run(
    `INSERT INTO perdure_attempt (workflow_id, step_id, attempt, key, name, error, at, retry_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    workflowId,
    attempt.stepId,
    attempt.attempt,
    attempt.key,
    attempt.name,
    attempt.error,
    attempt.at,
    attempt.retryAt
  )
}

export const hasAttempt = (database: Database, workflowId: string, attempt: AttemptRecord): boolean =>
  database.get(
    "SELECT 1 FROM perdure_attempt WHERE workflow_id = ? AND step_id = ? AND attempt = ?",
    workflowId,
    attempt.stepId,
    attempt.attempt
  ) !== undefined

/** Whether something is to be rolled back when it is cancelled. */
export const hasRollback = (database: Database, workflowId: string): boolean =>
  database.get(
    "SELECT 1 FROM perdure_step WHERE workflow_id = ? AND rollback = 1 AND outcome = 'success' LIMIT 1",
    workflowId
  ) !== undefined

/** Whether a rollback has run: the records no longer describe the world. */
export const isRolledBack = (database: Database, workflowId: string): boolean =>
  database.get("SELECT 1 FROM perdure_step WHERE workflow_id = ? AND kind = 'rollback' LIMIT 1", workflowId)
    !== undefined

/** Its next life has none of them. Returns how many records there were. */
export const forget = (database: Database, workflowId: string): number => {
  database.run("DELETE FROM perdure_attempt WHERE workflow_id = ?", workflowId)
  return database.run("DELETE FROM perdure_step WHERE workflow_id = ?", workflowId)
}
