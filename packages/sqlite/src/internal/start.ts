/** Creating a workflow, once per id. */
import type { Advance, Answer, HeldChild, Start, StartAnswer, StartMany } from "perdure/Store"
import * as Attribute from "./attribute.ts"
import type { Database } from "./database.ts"
import * as Deadline from "./deadline.ts"
import * as Delay from "./delay.ts"
import * as Duplicate from "./duplicate.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import * as Queue from "./queue.ts"
import { Refused } from "./refused.ts"

/** The answer to one start; or, of a queue that is not there, which. */
export type Started = StartAnswer | { readonly _tag: "NoQueue"; readonly queue: string }

/** The id decides who was first; the token decides whether that was this very start. */
export const startOne = (database: Database, op: Start, now: number): Started => {
  if (exists(database, op.workflowId)) return taken(database, op)
  if (op.queue !== null) {
    // What is not delayed any more has its place before this one, and may have given its deduplication id free.
    Delay.promote(database, now)
    const { queue } = op.queue
    if (Queue.find(database, queue) === undefined) return { _tag: "NoQueue", queue }
    const duplicate = Duplicate.find(database, op, op.queue)
    if (duplicate !== undefined) return Duplicate.answer(database, op, duplicate, now)
  }
  insert(database, op, now)
  return { _tag: "Started" }
}

export const start = (database: Database, op: Start, now: number): Answer => {
  const answer = startOne(database, op, now)
  return answer._tag === "NoQueue" ? { ...answer, index: 0 } : answer
}

/** All of them or none, in their order: an earlier one may have what a later one asks for. */
export const startMany = (database: Database, op: StartMany, now: number): Answer => ({
  _tag: "StartedMany",
  starts: op.starts.map((one, index) => {
    const answer = startOne(database, one, now)
    if (answer._tag === "NoQueue") throw new Refused({ ...answer, index })
    if (
      (answer._tag === "Exists" && !answer.same) || (answer._tag === "Duplicate" && op.refuseDuplicates)
    ) throw new Refused({ _tag: "StartRefused", index, answer })
    return answer
  })
})

/**
 * With their parent's write: a child that cannot be as the parent's record says refuses all of it. So a deduplication id
 * that is taken, and a debounce that would move another than expected, is told before anything is recorded.
 */
export const startChildren = (database: Database, parent: Advance, now: number): ReadonlyArray<StartAnswer> => {
  const children = parent.children.map((child): Start => ({ ...child, parentId: parent.workflowId }))
  return children.map((child, index) => {
    const held = heldOf(database, child, index, now)
    if (held !== undefined) {
      const more = children.flatMap((other, at) => at > index ? heldOf(database, other, at, now) ?? [] : [])
      throw new Refused({ _tag: "ChildDuplicate", ...held, ...(more.length === 0 ? {} : { more }) })
    }
    const answer = startOne(database, child, now)
    if (answer._tag === "NoQueue") throw new Refused({ ...answer, index })
    if (answer._tag === "Exists" && !answer.same) throw new Refused({ _tag: "ChildConflict", index, name: answer.name })
    return answer
  })
}

const heldOf = (database: Database, child: Start, index: number, now: number): HeldChild | undefined => {
  if (child.queue === null) return undefined
  if (exists(database, child.workflowId)) return Duplicate.refusalOfTaken(child.queue, index)
  Delay.promote(database, now)
  return Duplicate.refusal(database, child, child.queue, index)
}

const insert = (database: Database, op: Start, now: number): void => {
  const deadlineAt = deadlineOf(op, now)
  const { delayMs, name, owner, queue, version, workflowId } = op
  database.run(
    `INSERT INTO perdure_workflow (workflow_id, token, name, version, status, payload, codec,
       parent_id, parent_step_id, detached, user, roles, assumed_role,
       created_at, started_at, deadline_at, executor_id, max_recovery_attempts,
       queue, priority, partition_key, deduplication_id, debounced, schedule_name, scheduled_at, trace)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
       (SELECT executor_id FROM perdure_executor WHERE incarnation = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    workflowId,
    op.token,
    name,
    version,
    owner !== null ? "PENDING" : delayMs !== null ? "DELAYED" : "ENQUEUED",
    op.payload,
    op.codec,
    op.parentId,
    op.parentStepId,
    op.detached ? 1 : 0,
    op.user,
    JSON.stringify(op.roles),
    op.assumedRole,
    now,
    owner === null ? null : op.startedAt,
    deadlineAt,
    owner,
    op.maxRecoveryAttempts,
    queue?.queue ?? null,
    queue?.priority ?? 0,
    queue?.partitionKey ?? null,
    queue?.deduplicationId ?? null,
    queue?.debounce == null ? 0 : 1,
    op.schedule?.name ?? null,
    op.schedule?.at ?? null,
    op.trace
  )
  Attribute.insertAll(database, workflowId, op.attributes)
  Ownership.insert(database, { workflowId, name, version, epoch: op.epoch, executor: owner, queue: queue?.queue ?? "" })
  if (deadlineAt !== null) Deadline.insert(database, workflowId, deadlineAt)
  if (owner !== null) return
  if (queue === null && delayMs === null) return Mailbox.rest(database, workflowId, now, null)
  if (queue !== null && queue.deduplicationId !== null) {
    Item.hold(database, queue.queue, queue.deduplicationId, workflowId)
  }
  Item.insert(database, {
    workflowId,
    name,
    version,
    queue: queue?.queue ?? "",
    priority: queue?.priority ?? 0,
    partitionKey: queue?.partitionKey ?? null,
    dueAt: delayMs === null ? null : now + delayMs,
    limitMs: queue?.debounce?.limitMs ?? null
  }, now)
}

/** The answer to a start whose id is taken, or that was debounced into another workflow. */
export const taken = (database: Database, op: Start): StartAnswer => {
  const row = database.get<{ token: string; name: string; same: 0 | 1 }>(
    "SELECT token, name, name = ? AND payload = ? AS same FROM perdure_workflow WHERE workflow_id = ?",
    op.name,
    op.payload,
    op.workflowId
  )
  if (row === undefined) {
    const workflowId = Duplicate.movedBefore(database, op)
    return workflowId === undefined ? { _tag: "Started" } : { _tag: "Debounced", workflowId }
  }
  return row.token === op.token
    ? { _tag: "Started" }
    : { _tag: "Exists", same: row.same === 1, name: row.name }
}

/** Whether this very start, or another of its id, was made. */
export const isStarted = (database: Database, op: Start): boolean =>
  exists(database, op.workflowId) || Duplicate.movedBefore(database, op) !== undefined

const exists = (database: Database, workflowId: string): boolean =>
  database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) !== undefined

const deadlineOf = (op: Start, now: number): number | null => {
  const byTimeout = op.timeoutMs === null ? null : now + op.timeoutMs
  if (byTimeout === null || op.deadlineAt === null) return byTimeout ?? op.deadlineAt
  return Math.min(byTimeout, op.deadlineAt)
}
