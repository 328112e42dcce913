/** An operator's second chance for what was cancelled, dead-lettered or blocked. */
import type { ResumeAnswer } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import * as Deadline from "./deadline.ts"
import * as Delay from "./delay.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import * as Queue from "./queue.ts"
import * as Step from "./step.ts"

interface Row {
  readonly name: string
  readonly version: string
  readonly status: WorkflowStatus
  readonly epoch: number
  readonly deadline_at: number | null
  readonly queue: string | null
  readonly priority: number
  readonly partition_key: string | null
  readonly deduplication_id: string | null
  readonly debounced: 0 | 1
}

export const resumeOne = (database: Database, workflowId: string, now: number): ResumeAnswer => {
  const row = database.get<Row>(
    `SELECT name, version, status, epoch, deadline_at, queue, priority, partition_key, deduplication_id, debounced
     FROM perdure_workflow WHERE workflow_id = ?`,
    workflowId
  )
  if (row === undefined) return { workflowId, result: "unknown" }
  const owner = Ownership.find(database, workflowId)
  const { deadline_at, status } = row
  if (owner?.rest === "block") return unblock(database, owner, now)
  if (status !== "CANCELLED" && status !== "DEAD_LETTER") return { workflowId, result: "refused", status }
  // A dead letter that was rolling back had failed: its body fails again, and the other rollbacks run.
  if (status === "CANCELLED" && Step.isRolledBack(database, workflowId)) {
    return { workflowId, result: "compensated", status }
  }
  // Somebody is at its rollbacks, or was when it lost its lease: one may have run that nobody has recorded.
  if (owner?.undoing === 1) return { workflowId, result: "refused", status }
  if (Ownership.mayStillRun(database, workflowId, now)) return { workflowId, result: "held", status }
  Delay.promote(database, now)
  const queue = queueOf(database, row)
  const id = row.debounced === 1 ? null : row.deduplication_id
  const holder = id === null ? undefined : Item.holderOf(database, queue, id)
  if (holder !== undefined) return { workflowId, result: "duplicate", status, holder }
  reopen(database, workflowId, queue, now)
  if (owner === undefined) {
    Ownership.insert(database, { ...row, workflowId, epoch: row.epoch + 1, executor: null, queue })
  } else {
    Ownership.release(database, workflowId, { phase: "run", attempts: 0, undoing: 0, queue })
  }
  if (queue === "") {
    Mailbox.rest(database, workflowId, now, null)
  } else {
    Mailbox.rest(database, workflowId, null, null)
    if (id !== null) Item.hold(database, queue, id, workflowId)
    const partitionKey = row.partition_key
    Item.insert(database, { ...row, workflowId, queue, partitionKey, dueAt: null, limitMs: null }, now)
  }
  if (deadline_at !== null && deadline_at > now) Deadline.insert(database, workflowId, deadline_at)
  return { workflowId, result: "resumed" }
}

/** Its queue, unless that is gone: then it is due like one that never had any. */
const queueOf = (database: Database, { queue }: Row): string =>
  queue !== null && Queue.find(database, queue) !== undefined ? queue : ""

/** Goes on where it was blocked: with its body, or (its status and reason kept) with its rollbacks. */
const unblock = (database: Database, owner: Ownership.Ownership, now: number): ResumeAnswer => {
  const workflowId = owner.workflow_id
  if (owner.phase === "run") {
    reopen(database, workflowId, owner.queue, now)
    database.run("DELETE FROM perdure_deadline WHERE workflow_id = ? AND at <= ?", workflowId, now)
  }
  Ownership.release(database, workflowId, { ...owner, attempts: 0 })
  Mailbox.rest(database, workflowId, owner.queue === "" ? now : null, null)
  const item = owner.queue === "" ? undefined : Item.find(database, workflowId)
  if (item !== undefined) Item.enqueueAnew(database, item, now, now)
  return { workflowId, result: "resumed" }
}

/** A deadline that has passed is dropped: it would end the workflow again at once. */
const reopen = (database: Database, workflowId: string, queue: string, now: number): void => {
  database.run(
    `UPDATE perdure_workflow SET status = ?, output = NULL, reason = NULL, completed_at = NULL,
       deadline_at = iif(deadline_at <= ?, NULL, deadline_at)
     WHERE workflow_id = ?`,
    queue === "" ? "PENDING" : "ENQUEUED",
    now,
    workflowId
  )
}
