/** New workflows out of others' records. */
import type { Fork, ForkAnswer } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Deadline from "./deadline.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"

interface Source {
  readonly name: string
  readonly version: string
}

export const fork = (database: Database, op: Fork, now: number): ForkAnswer => {
  const before = database.get<{ token: string; name: string }>(
    "SELECT token, name FROM perdure_workflow WHERE workflow_id = ?",
    op.workflowId
  )
  if (before !== undefined) {
    return before.token === op.token ? { _tag: "Forked", name: before.name } : { _tag: "Exists" }
  }
  const source = database.get<Source>(
    "SELECT name, version FROM perdure_workflow WHERE workflow_id = ?",
    op.sourceId
  )
  if (source === undefined) return { _tag: "Unknown" }
  const steps = stepsOf(database, op.sourceId)
  if (op.fromStep > steps) return { _tag: "NoSuchStep", steps }
  copySteps(database, op)
  copyRow(database, op, source, now)
  copyWrites(database, op)
  return { _tag: "Forked", name: source.name }
}

/** Up to the last one that is recorded or has failed attempts. Rollbacks are no steps of the body. */
const stepsOf = (database: Database, workflowId: string): number =>
  database.get<{ steps: number }>(
    `SELECT max(
       (SELECT coalesce(max(step_id) + 1, 0) FROM perdure_step WHERE workflow_id = ? AND kind <> 'rollback'),
       (SELECT coalesce(max(step_id) + 1, 0) FROM perdure_attempt WHERE workflow_id = ?)) AS steps`,
    workflowId,
    workflowId
  )!.steps

/**
 * The completion numbers become gapless again, in their order. What an operation had seen when it was asked for is
 * counted anew: the copied ones among those that it counted. Epoch 0: of no owner.
 */
const copySteps = (database: Database, { fromStep, sourceId, workflowId }: Fork): void => {
  database.run(
    `WITH seen AS MATERIALIZED (
       SELECT *, step_id < ? AND kind <> 'rollback' AS kept,
         count(*) FILTER (WHERE step_id < ? AND kind <> 'rollback') OVER (ORDER BY seq) AS number
       FROM perdure_step WHERE workflow_id = ?
     )
     INSERT INTO perdure_step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
       child_id, rollback, epoch)
     SELECT ?, k.step_id, k.number, coalesce(a.number, 0), k.key, k.name, k.kind, k.outcome, k.value, k.attempts,
       k.started_at, k.at, k.child_id, k.rollback, 0
     FROM seen k LEFT JOIN seen a ON a.seq = k.asked WHERE k.kept`,
    fromStep,
    fromStep,
    sourceId,
    workflowId
  )
  database.run(
    `INSERT INTO perdure_attempt (workflow_id, step_id, attempt, key, name, error, at, retry_at)
     SELECT t.workflow_id, a.step_id, a.attempt, a.key, a.name, a.error, a.at, a.retry_at
     FROM perdure_step t JOIN perdure_attempt a ON a.workflow_id = ? AND a.step_id = t.step_id
     WHERE t.workflow_id = ?`,
    sourceId,
    workflowId
  )
}

/** The body's clock starts when the source's did, since the copied records are of that time. */
const copyRow = (database: Database, op: Fork, { name, version: own }: Source, now: number): void => {
  const { sourceId, workflowId } = op
  const version = op.version ?? own
  const deadlineAt = op.timeoutMs === null ? null : now + op.timeoutMs
  database.run(
    `INSERT INTO perdure_workflow (workflow_id, token, name, version, status, payload, codec, detached, user, roles,
       assumed_role, created_at, started_at, deadline_at, max_recovery_attempts, forked_from, first_step_id)
     SELECT ?, ?, name, ?, 'ENQUEUED', coalesce(?, life_payload, payload), codec, 0, user, roles, assumed_role, ?,
       iif(EXISTS (SELECT 1 FROM perdure_step t WHERE t.workflow_id = ?), started_at, NULL), ?,
       max_recovery_attempts, workflow_id, first_step_id
     FROM perdure_workflow WHERE workflow_id = ?`,
    workflowId,
    op.token,
    version,
    op.payload,
    now,
    workflowId,
    deadlineAt,
    sourceId
  )
  database.run(
    `INSERT INTO perdure_attribute (workflow_id, key, value)
     SELECT ?, key, value FROM perdure_attribute WHERE workflow_id = ?`,
    workflowId,
    sourceId
  )
  Ownership.insert(database, { workflowId, name, version, epoch: op.epoch, executor: null, queue: "" })
  Mailbox.rest(database, workflowId, now, null)
  if (deadlineAt !== null) Deadline.insert(database, workflowId, deadlineAt)
}

/** What the copied steps wrote, in the order in which they did. */
const copyWrites = (database: Database, { fromStep, sourceId, workflowId }: Fork): void => {
  database.run(
    `INSERT INTO perdure_event (workflow_id, key, step_id, ordinal, value, codec, at)
     SELECT ?, key, step_id, ordinal, value, codec, at FROM perdure_event WHERE workflow_id = ? AND step_id < ?`,
    workflowId,
    sourceId,
    fromStep
  )
  database.run(
    `INSERT INTO perdure_entry (workflow_id, key, offset, value, codec, step_id, attempt, number, epoch, superseded, at)
     SELECT ?, key, row_number() OVER (PARTITION BY key ORDER BY offset) - 1, value, codec, step_id, attempt,
       -- Of several epochs, which are all 0 now: numbered anew, so that they stay distinct.
       row_number() OVER (PARTITION BY key, step_id, attempt ORDER BY offset) - 1, 0, superseded, at
     FROM perdure_entry WHERE workflow_id = ? AND step_id < ?`,
    workflowId,
    sourceId,
    fromStep
  )
}
