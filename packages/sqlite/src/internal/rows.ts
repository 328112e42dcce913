/** From the database's rows to the contract's. */
import type { AttemptRecord, Phase, RecordKind, StepRecord, WorkflowRow } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"

/** A {@link WorkflowRow}, with its values or without. A workflow without an ownership row is done. */
const select = (payload: string, output: string): string => `
  SELECT w.workflow_id, w.name, w.version, w.status, coalesce(o.phase, 'done') AS phase,
    coalesce(o.epoch, w.epoch) AS epoch, ${payload} AS payload, w.codec, ${output} AS output, w.reason, w.parent_id, w.parent_step_id,
    w.detached, w.user, w.roles, w.assumed_role, w.created_at, w.started_at, w.completed_at, w.deadline_at, w.executor_id,
    coalesce(o.attempts, w.recovery_attempts) AS recovery_attempts, w.max_recovery_attempts,
    coalesce(m.wake_at, (SELECT i.due_at FROM perdure_queue_item i WHERE i.workflow_id = w.workflow_id)) AS wake_at,
    m.waits, w.queue, w.priority, w.partition_key, w.deduplication_id, w.schedule_name, w.scheduled_at, w.forked_from,
    w.trace, w.continuations, w.first_step_id, (SELECT json_group_object(a.key, json(a.value)) FROM perdure_attribute a WHERE a.workflow_id = w.workflow_id)
      AS attributes
  FROM perdure_workflow w
  LEFT JOIN perdure_ownership o USING (workflow_id)
  LEFT JOIN perdure_mailbox m USING (workflow_id)`

/** Everything of it. */
export const selectWorkflow = select("coalesce(w.life_payload, w.payload)", "w.output")

/** Without its values, but for how it failed. */
export const selectSummary = select("'null'", "CASE WHEN w.status = 'ERROR' THEN w.output END")

export interface WorkflowColumns {
  readonly workflow_id: string
  readonly name: string
  readonly version: string
  readonly status: WorkflowStatus
  readonly phase: Phase
  readonly epoch: number
  readonly payload: string
  readonly codec: string
  readonly output: string | null
  readonly reason: string | null
  readonly parent_id: string | null
  readonly parent_step_id: number | null
  readonly detached: 0 | 1
  readonly user: string | null
  readonly roles: string
  readonly assumed_role: string | null
  readonly created_at: number
  readonly started_at: number | null
  readonly completed_at: number | null
  readonly deadline_at: number | null
  readonly executor_id: string | null
  readonly recovery_attempts: number
  readonly max_recovery_attempts: number
  readonly wake_at: number | null
  readonly waits: string | null
  readonly queue: string | null
  readonly priority: number
  readonly partition_key: string | null
  readonly deduplication_id: string | null
  readonly schedule_name: string | null
  readonly scheduled_at: number | null
  readonly forked_from: string | null
  readonly trace: string | null
  readonly continuations: number
  readonly first_step_id: number
  readonly attributes: string
}

export const toWorkflow = (row: WorkflowColumns): WorkflowRow => ({
  workflowId: row.workflow_id,
  name: row.name,
  version: row.version,
  status: row.status,
  phase: row.phase,
  epoch: row.epoch,
  payload: row.payload,
  codec: row.codec,
  output: row.output,
  reason: row.reason,
  parentId: row.parent_id,
  parentStepId: row.parent_step_id,
  detached: row.detached === 1,
  user: row.user,
  roles: row.roles === "[]" ? [] : JSON.parse(row.roles),
  assumedRole: row.assumed_role,
  createdAt: row.created_at,
  startedAt: row.started_at,
  completedAt: row.completed_at,
  deadlineAt: row.deadline_at,
  executorId: row.executor_id,
  recoveryAttempts: row.recovery_attempts,
  maxRecoveryAttempts: row.max_recovery_attempts,
  wakeAt: row.wake_at,
  waits: row.waits,
  queue: row.queue,
  priority: row.priority,
  partitionKey: row.partition_key,
  deduplicationId: row.deduplication_id,
  attributes: row.attributes === "{}" ? {} : JSON.parse(row.attributes),
  scheduleName: row.schedule_name,
  scheduledAt: row.scheduled_at,
  forkedFrom: row.forked_from,
  trace: row.trace,
  continuations: row.continuations,
  firstStepId: row.first_step_id
})

export const recordColumns =
  "step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at, child_id, rollback"

export interface RecordColumns {
  readonly step_id: number
  readonly seq: number
  readonly asked: number
  readonly key: string
  readonly name: string
  readonly kind: RecordKind
  readonly outcome: "success" | "failure"
  readonly value: string
  readonly attempts: number
  readonly started_at: number
  readonly at: number
  readonly child_id: string | null
  readonly rollback: 0 | 1
}

export const toRecord = (row: RecordColumns): StepRecord => ({
  stepId: row.step_id,
  seq: row.seq,
  asked: row.asked,
  key: row.key,
  name: row.name,
  kind: row.kind,
  outcome: row.outcome,
  value: row.value,
  attempts: row.attempts,
  startedAt: row.started_at,
  at: row.at,
  childId: row.child_id,
  rollback: row.rollback === 1
})

export const attemptColumns = "step_id, attempt, key, name, error, at, retry_at"

export interface AttemptColumns {
  readonly step_id: number
  readonly attempt: number
  readonly key: string
  readonly name: string
  readonly error: string
  readonly at: number
  readonly retry_at: number
}

export const toAttempt = (row: AttemptColumns): AttemptRecord => ({
  stepId: row.step_id,
  key: row.key,
  name: row.name,
  attempt: row.attempt,
  error: row.error,
  at: row.at,
  retryAt: row.retry_at
})
