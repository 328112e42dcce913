/** How rows leave the database: JSON built there, named as the contract names them, parsed here in one go. */
import { lossesOf } from "./finish.ts"

/**
 * A `WorkflowRow`, from `workflow w` left joined with `ownership o` and `mailbox m`; roles and attributes as the text that
 * they are stored as, for one that is no JSON must not fail all others.
 */
export const workflowRow = (s: string, values = true): string =>
  `json_build_object(
  'workflowId', w.workflow_id, 'name', w.name, 'version', w.version, 'status', w.status,
  'phase', coalesce(o.phase, 'done'), 'epoch', coalesce(o.epoch, w.epoch),
  'payload', ${values ? "coalesce(w.life_payload, w.payload)" : "'null'"}, 'codec', w.codec,
  'output', ${values ? "w.output" : "CASE WHEN w.status = 'ERROR' THEN w.output END"}, 'reason', w.reason,
  'parentId', w.parent_id, 'parentStepId', w.parent_step_id, 'detached', w.detached,
  'user', w.user_id, 'roles', w.roles, 'assumedRole', w.assumed_role,
  'createdAt', w.created_at, 'startedAt', w.started_at, 'completedAt', w.completed_at, 'deadlineAt', w.deadline_at,
  'executorId', w.executor_id, 'recoveryAttempts',
  coalesce(${lossesOf(s, "w.workflow_id")}, w.recovery_attempts),
  'maxRecoveryAttempts', w.max_recovery_attempts, 'wakeAt', CASE
    WHEN w.status = 'DELAYED' AND w.queue IS NOT NULL
      THEN (SELECT i.due_at FROM ${s}.queue_item i WHERE i.workflow_id = w.workflow_id)
    ELSE m.wake_at END, 'waits', m.waits,
  'queue', w.queue, 'priority', w.priority, 'partitionKey', w.partition_key, 'deduplicationId', w.deduplication_id,
  'attributes', w.attributes, 'scheduleName', w.schedule_name, 'scheduledAt', w.scheduled_at,
  'forkedFrom', w.forked_from, 'trace', w.trace,
  'continuations', w.continuations, 'firstStepId', w.first_step_id)`

/** What a `WorkflowRow` needs besides `workflow w`. Probes per row found: a plan made when the tables were small stays right. */
export const besides = (s: string): string => `
  LEFT JOIN LATERAL (SELECT * FROM ${s}.ownership o WHERE o.workflow_id = w.workflow_id OFFSET 0) o ON true
  LEFT JOIN LATERAL (SELECT * FROM ${s}.mailbox m WHERE m.workflow_id = w.workflow_id OFFSET 0) m ON true`

/** A `StepRecord`, from `step t`. */
export const stepRecord = `json_build_object(
  'stepId', t.step_id, 'seq', t.seq, 'asked', t.asked, 'key', t.key, 'name', t.name, 'kind', t.kind,
  'outcome', t.outcome, 'value', t.value, 'attempts', t.attempts, 'startedAt', t.started_at, 'at', t.at,
  'childId', t.child_id, 'rollback', t.rollback)`

/** An `AttemptRecord`, from `attempt a`. */
export const attemptRecord = `json_build_object(
  'stepId', a.step_id, 'key', a.key, 'name', a.name, 'attempt', a.attempt, 'error', a.error, 'at', a.at,
  'retryAt', a.retry_at)`
