/** The place of one workflow in its queue, looked at or changed. */
import type { QueuedAnswer } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Item from "./item.ts"
import * as Partition from "./partition.ts"
import * as Queue from "./queue.ts"

export const setPriority = (
  database: Database,
  workflowId: string,
  priority: number,
  now: number
): QueuedAnswer => {
  const item = Item.find(database, workflowId)
  if (item === undefined || item.queue === "" || (item.state !== "waiting" && item.state !== "delayed")) {
    const known = database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) !== undefined
    return known ? "started" : "unknown"
  }
  database.run("UPDATE perdure_workflow SET priority = ? WHERE workflow_id = ?", priority, workflowId)
  database.run(
    "UPDATE perdure_queue_item SET priority = ?, rank = ? WHERE workflow_id = ?",
    priority,
    Queue.rank(Queue.find(database, item.queue)?.limits, priority, item.enqueued_at),
    workflowId
  )
  Partition.look(database, item.queue, item.partition_key, now)
  return "changed"
}

/** How many wait before it, of its partition key, counted up to `limit`; null: it does not wait. */
export const position = (database: Database, workflowId: string, limit: number): number | null =>
  database.get<{ n: number }>(
    `SELECT (SELECT count(*) FROM (
       SELECT 1 FROM perdure_queue_item b
       WHERE b.queue = i.queue AND b.partition_key IS i.partition_key AND b.state = 'waiting' AND (b.rank, b.seq) < (i.rank, i.seq) LIMIT ?)) AS n
     FROM perdure_queue_item i WHERE i.workflow_id = ? AND i.state = 'waiting'`,
    limit,
    workflowId
  )?.n ?? null
