/** Whole histories, read for an export and written by an import. */
import type { ArchivedEvent, ArchiveStore, EventPlace, History } from "perdure/Store"
import * as Attribute from "./attribute.ts"
import type { Connections } from "./connections.ts"
import type { Database } from "./database.ts"
import * as Ownership from "./ownership.ts"

interface EventColumns {
  readonly key: string
  readonly ordinal: number
  readonly step_id: number
  readonly value: string
  readonly codec: string
  readonly at: number
}

/** Of each step the value that it set last. */
const eventWrites = (
  database: Database,
  workflowId: string,
  { after, limit }: Parameters<ArchiveStore["eventWrites"]>[1]
): ReadonlyArray<ArchivedEvent & EventPlace> =>
  database.all<EventColumns>(
    `SELECT key, ordinal, step_id, value, codec, at FROM perdure_event
     WHERE workflow_id = ? AND (key, ordinal) > (?, ?) ORDER BY key, ordinal LIMIT ?`,
    workflowId,
    after?.key ?? "",
    after?.n ?? 0,
    limit
  ).map(({ ordinal: n, step_id: stepId, ...event }) => ({ ...event, stepId, n }))

/** False: the id is taken. */
const put = (database: Database, history: History): boolean => {
  const { workflow } = history
  const { epoch, workflowId } = workflow
  if (database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) !== undefined) return false
  insertWorkflow(database, history)
  Attribute.insertAll(database, workflowId, workflow.attributes)
  for (
    const { asked, at, attempts, childId, key, kind, name, outcome, rollback, seq, startedAt, stepId, value } of history
      .records
  ) {
    database.run(
      `INSERT INTO perdure_step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
         child_id, rollback, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      workflowId,
      stepId,
      seq,
      asked,
      key,
      name,
      kind,
      outcome,
      value,
      attempts,
      startedAt,
      at,
      childId,
      rollback ? 1 : 0,
      epoch
    )
  }
  for (const { at, attempt, error, key, name, retryAt, stepId } of history.attempts) {
    database.run(
      `INSERT INTO perdure_attempt (workflow_id, step_id, attempt, key, name, error, at, retry_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      workflowId,
      stepId,
      attempt,
      key,
      name,
      error,
      at,
      retryAt
    )
  }
  for (const { codec, consumedBy, messageId, payload, senderId, sentAt, seq, topic } of history.messages) {
    database.run(
      `INSERT INTO perdure_message (workflow_id, seq, message_id, topic, payload, codec, sender_id, sent_at, consumed_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      workflowId,
      seq,
      messageId,
      topic,
      payload,
      codec,
      senderId,
      sentAt,
      consumedBy
    )
  }
  // The order in which they were set; of one step only the last value is kept.
  for (const [index, { at, codec, key, stepId, value }] of history.events.entries()) {
    database.run(
      `INSERT INTO perdure_event (workflow_id, key, step_id, ordinal, value, codec, at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (workflow_id, key, step_id) DO UPDATE SET ordinal = excluded.ordinal, value = excluded.value,
         codec = excluded.codec, at = excluded.at`,
      workflowId,
      key,
      stepId,
      index + 1,
      value,
      codec,
      at
    )
  }
  for (const { at, attempt, codec, key, offset, stepId, superseded, value } of history.entries) {
    // The offset is as good a number as any: it only tells entries of one writer apart.
    database.run(
      `INSERT INTO perdure_entry (workflow_id, key, offset, value, codec, step_id, attempt, number, epoch, superseded, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      workflowId,
      key,
      offset,
      value,
      codec,
      stepId,
      attempt ?? -1,
      offset,
      0,
      superseded ? 1 : 0,
      at
    )
  }
  if (workflow.phase === "run") restBlocked(database, history)
  return true
}

const insertWorkflow = (database: Database, { workflow: row }: History): void => {
  database.run(
    `INSERT INTO perdure_workflow (workflow_id, token, name, version, status, payload, codec, output, reason, parent_id,
       parent_step_id, detached, user, roles, assumed_role, created_at, started_at, completed_at, deadline_at, executor_id,
       max_recovery_attempts, epoch, recovery_attempts, queue, priority, partition_key, deduplication_id, schedule_name,
       scheduled_at, forked_from, trace, continuations, life_payload, first_step_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.workflowId,
    crypto.randomUUID(),
    row.name,
    row.version,
    row.status,
    row.payload,
    row.codec,
    row.output,
    row.reason,
    row.parentId,
    row.parentStepId,
    row.detached ? 1 : 0,
    row.user,
    JSON.stringify(row.roles),
    row.assumedRole,
    row.createdAt,
    row.startedAt,
    row.completedAt,
    row.deadlineAt,
    row.executorId,
    row.maxRecoveryAttempts,
    row.epoch,
    row.recoveryAttempts,
    row.queue,
    row.priority,
    row.partitionKey,
    row.deduplicationId,
    row.scheduleName,
    row.scheduledAt,
    row.forkedFrom,
    row.trace,
    row.continuations,
    row.continuations > 0 ? row.payload : null,
    row.firstStepId
  )
}

/** As a workflow rests that its code has blocked: its counter goes on after the messages that it has. */
const restBlocked = (
  database: Database,
  { messages, workflow: { epoch, name, version, workflowId } }: History
): void => {
  Ownership.insert(database, { workflowId, name, version, epoch, executor: null, queue: "" })
  database.run("UPDATE perdure_ownership SET rest = 'block' WHERE workflow_id = ?", workflowId)
  database.run(
    "INSERT INTO perdure_mailbox (workflow_id, name, version, inbox) VALUES (?, ?, ?, ?)",
    workflowId,
    name,
    version,
    messages.reduce((last, { seq }) => Math.max(last, seq), 0)
  )
}

export const archive = (connections: Connections): ArchiveStore => ({
  eventWrites: (workflowId, page) =>
    connections.read("read what events were set to", (database) => eventWrites(database, workflowId, page)),
  putHistory: (history) => connections.write("import a history", (database) => put(database, history))
})
