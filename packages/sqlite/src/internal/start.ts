/** Creating a workflow, once per id. */
import type { Start, StartAnswer } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Deadline from "./deadline.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"

/** The id decides who was first; the token decides whether that was this very start. */
export const start = (database: Database, op: Start, now: number): StartAnswer => {
  const deadlineAt = deadlineOf(op, now)
  const inserted = database.run(
    `INSERT INTO perdure_workflow (workflow_id, token, name, version, status, payload, codec,
       parent_id, parent_step_id, detached, user, roles, assumed_role,
       created_at, started_at, deadline_at, executor_id, max_recovery_attempts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
       (SELECT executor_id FROM perdure_executor WHERE incarnation = ?), ?)
     ON CONFLICT (workflow_id) DO NOTHING`,
    op.workflowId,
    op.token,
    op.name,
    op.version,
    op.owner === null ? "ENQUEUED" : "PENDING",
    op.payload,
    op.codec,
    op.parentId,
    op.parentStepId,
    op.detached ? 1 : 0,
    op.user,
    JSON.stringify(op.roles),
    op.assumedRole,
    now,
    op.owner === null ? null : op.startedAt,
    deadlineAt,
    op.owner,
    op.maxRecoveryAttempts
  )
  if (inserted === 0) return taken(database, op)
  const { name, owner, version, workflowId } = op
  Ownership.insert(database, { workflowId, name, version, epoch: owner === null ? 0 : 1, executor: owner })
  if (owner === null) Mailbox.rest(database, workflowId, now, null)
  if (deadlineAt !== null) Deadline.insert(database, workflowId, deadlineAt)
  return { _tag: "Started" }
}

/** The answer to a start whose id is taken. */
export const taken = (database: Database, op: Start): StartAnswer => {
  const row = database.get<{ token: string; name: string; same: 0 | 1 }>(
    "SELECT token, name, name = ? AND payload = ? AS same FROM perdure_workflow WHERE workflow_id = ?",
    op.name,
    op.payload,
    op.workflowId
  )!
  return row.token === op.token
    ? { _tag: "Started" }
    : { _tag: "Exists", same: row.same === 1, name: row.name }
}

const deadlineOf = (op: Start, now: number): number | null => {
  const byTimeout = op.timeoutMs === null ? null : now + op.timeoutMs
  if (byTimeout === null || op.deadlineAt === null) return byTimeout ?? op.deadlineAt
  return Math.min(byTimeout, op.deadlineAt)
}
