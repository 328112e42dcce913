/** Delayed starts: when their time has come they wait in their queue, or, of none, are due. */
import type { QueuedAnswer, Served } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"

export const isDue = (database: Database, now: number): boolean =>
  database.get("SELECT 1 FROM perdure_queue_item WHERE state = 'delayed' AND due_at <= ? LIMIT 1", now) !== undefined

interface Delayed extends Item.Item {
  readonly due_at: number
  readonly debounced: 0 | 1
}

const batch = 1_000

/**
 * Those whose time has come, as if enqueued at it. Done by whoever writes next to a queue, so that what is enqueued
 * after that time comes after them.
 */
export const promote = (database: Database, now: number): void => {
  if (!isDue(database, now)) return
  const due = database.all<Delayed>(
    `SELECT i.seq, i.workflow_id, i.queue, i.name, i.version, i.state, i.priority, i.partition_key, i.enqueued_at,
       i.due_at, i.executor, w.debounced
     FROM perdure_queue_item i JOIN perdure_workflow w USING (workflow_id)
     WHERE i.state = 'delayed' AND i.due_at <= ? ORDER BY i.due_at, i.seq LIMIT ?`,
    now,
    batch
  )
  for (const item of due) {
    const workflowId = item.workflow_id
    if (item.queue === "") {
      database.run("DELETE FROM perdure_queue_item WHERE workflow_id = ?", workflowId)
      Mailbox.rest(database, workflowId, item.due_at, null)
    } else {
      Item.enqueueAnew(database, item, item.due_at, now)
      if (item.debounced === 1) Item.free(database, workflowId)
    }
    database.run("UPDATE perdure_workflow SET status = 'ENQUEUED' WHERE workflow_id = ?", workflowId)
  }
}

/** When the next one of a name and version is. */
export const nextDue = (database: Database, { name, version }: Served): number | null =>
  database.get<{ at: number | null }>(
    "SELECT min(due_at) AS at FROM perdure_queue_item WHERE state = 'delayed' AND name = ? AND version = ?",
    name,
    version
  )!.at

export const set = (database: Database, workflowId: string, delayMs: number, now: number): QueuedAnswer => {
  const item = Item.find(database, workflowId)
  if (item?.state !== "delayed" || item.due_at! <= now) {
    const known = database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) !== undefined
    return known ? "started" : "unknown"
  }
  database.run("UPDATE perdure_queue_item SET due_at = ? WHERE workflow_id = ?", now + delayMs, workflowId)
  if (delayMs === 0) promote(database, now)
  return "changed"
}
