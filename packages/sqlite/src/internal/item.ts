/**
 * The place of a workflow in its queue, from when it is enqueued or delayed until it is done. Of a partitioned queue
 * every change here is followed by a look at the partition, so that its row always tells whether its head may start.
 */
import type { Database } from "./database.ts"
import * as Partition from "./partition.ts"
import * as Queue from "./queue.ts"

export interface Item {
  readonly seq: number
  readonly workflow_id: string
  readonly queue: string
  readonly name: string
  readonly version: string
  readonly state: "delayed" | "waiting" | "running" | "parked"
  readonly priority: number
  readonly partition_key: string | null
  readonly enqueued_at: number
  readonly due_at: number | null
  readonly executor: string | null
}

const columns = `seq, workflow_id, queue, name, version, state, priority, partition_key, enqueued_at, due_at, executor`

export const find = (database: Database, workflowId: string): Item | undefined =>
  database.get(`SELECT ${columns} FROM perdure_queue_item WHERE workflow_id = ?`, workflowId)

/** What comes after it has a higher number, so that equals keep their order. */
const nextSeq = "(SELECT coalesce(max(seq), 0) + 1 FROM perdure_queue_item)"

/** Waits from now on, or (`dueAt`) is delayed until then. */
export const insert = (
  database: Database,
  item: {
    readonly workflowId: string
    readonly queue: string
    readonly name: string
    readonly version: string
    readonly priority: number
    /** As it was given, whether it counts now or not. */
    readonly partitionKey: string | null
    readonly dueAt: number | null
    /** So long after now it may be moved while it is delayed; null: it is not debounced. */
    readonly limitMs: number | null
  },
  now: number
): void => {
  const limits = Queue.find(database, item.queue)?.limits
  const key = Queue.keyIn(limits, item.partitionKey)
  database.run(
    `INSERT INTO perdure_queue_item (seq, workflow_id, queue, name, version, state, priority, rank, partition_key,
       enqueued_at, due_at, debounce_limit)
     VALUES (${nextSeq}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    item.workflowId,
    item.queue,
    item.name,
    item.version,
    item.dueAt === null ? "waiting" : "delayed",
    item.priority,
    Queue.rank(limits, item.priority, now),
    key,
    now,
    item.dueAt,
    item.limitMs === null ? null : now + item.limitMs
  )
  Partition.look(database, item.queue, key, now)
}

/** Waits, as if enqueued at this time, behind its equals. */
export const enqueueAnew = (database: Database, item: Item, enqueuedAt: number, now: number): void => {
  database.run(
    `UPDATE perdure_queue_item SET seq = ${nextSeq}, state = 'waiting', due_at = NULL, executor = NULL,
       enqueued_at = ?, rank = ?
     WHERE workflow_id = ?`,
    enqueuedAt,
    Queue.rank(Queue.find(database, item.queue)?.limits, item.priority, enqueuedAt),
    item.workflow_id
  )
  Partition.look(database, item.queue, item.partition_key, now)
}

/** Waits again, in its old place: it lost its executor, or was given back. */
export const putBack = (database: Database, workflowId: string, now: number): void =>
  change(database, workflowId, "state = 'waiting', executor = NULL", now)

/** Blocked: it has no place until somebody resumes it. */
export const park = (database: Database, workflowId: string, now: number): void =>
  change(database, workflowId, "state = 'parked', executor = NULL", now)

/** Suspended: it keeps its place in the queue, and has none in the executor. */
export const leaveMemory = (database: Database, workflowId: string): void => {
  database.run("UPDATE perdure_queue_item SET executor = NULL WHERE workflow_id = ?", workflowId)
}

/** Claimed: admitted to its queue, if it was not before. `version`: that of the executor, where it had none. */
export const enterMemory = (
  database: Database,
  workflowId: string,
  incarnation: string,
  version: string,
  now: number
): void => {
  database.run(
    "UPDATE perdure_queue_item SET state = 'running', executor = ?, version = ? WHERE workflow_id = ?",
    incarnation,
    version,
    workflowId
  )
  lookAt(database, workflowId, now)
}

const change = (database: Database, workflowId: string, set: string, now: number): void => {
  database.run(`UPDATE perdure_queue_item SET ${set} WHERE workflow_id = ?`, workflowId)
  lookAt(database, workflowId, now)
}

const lookAt = (database: Database, workflowId: string, now: number): void => {
  const item = database.get<Pick<Item, "queue" | "partition_key">>(
    "SELECT queue, partition_key FROM perdure_queue_item WHERE workflow_id = ? AND partition_key IS NOT NULL",
    workflowId
  )
  if (item !== undefined) Partition.look(database, item.queue, item.partition_key, now)
}

/** It leaves its queue, and its deduplication id is free. */
export const remove = (database: Database, workflowId: string, now: number): void => {
  const [item] = database.all<Pick<Item, "queue" | "partition_key">>(
    "DELETE FROM perdure_queue_item WHERE workflow_id = ? RETURNING queue, partition_key",
    workflowId
  )
  if (item === undefined) return
  free(database, workflowId)
  Partition.look(database, item.queue, item.partition_key, now)
}

/** Its deduplication id may be used by another. */
export const free = (database: Database, workflowId: string): void => {
  database.run(
    `DELETE FROM perdure_deduplication WHERE workflow_id = ? AND (queue, deduplication_id) =
       (SELECT queue, deduplication_id FROM perdure_workflow WHERE workflow_id = ?)`,
    workflowId,
    workflowId
  )
}

/** Who has the deduplication id. */
export const holderOf = (database: Database, queue: string, deduplicationId: string): string | undefined =>
  database.get<{ workflow_id: string }>(
    "SELECT workflow_id FROM perdure_deduplication WHERE queue = ? AND deduplication_id = ?",
    queue,
    deduplicationId
  )?.workflow_id

export const hold = (database: Database, queue: string, deduplicationId: string, workflowId: string): void => {
  database.run(
    "INSERT INTO perdure_deduplication (queue, deduplication_id, workflow_id) VALUES (?, ?, ?)",
    queue,
    deduplicationId,
    workflowId
  )
}
