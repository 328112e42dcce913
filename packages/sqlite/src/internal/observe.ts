/** What is looked at again and again. Every look is bounded: by an index, or by how many of the newest rows it reads. */
import type { ActivityRow, NameRow, ProgressRow, Span } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Bind, Database } from "./database.ts"

export const progress = (database: Database, workflowIds: ReadonlyArray<string>): ReadonlyArray<ProgressRow> =>
  database.all<{ workflow_id: string; status: WorkflowStatus; steps: number; attempts: number }>(
    `SELECT w.workflow_id, w.status,
       (SELECT count(*) FROM perdure_step t WHERE t.workflow_id = w.workflow_id) AS steps,
       (SELECT count(*) FROM perdure_attempt a WHERE a.workflow_id = w.workflow_id) AS attempts
     FROM perdure_workflow w WHERE w.workflow_id IN (SELECT value FROM json_each(?)) ORDER BY w.workflow_id`,
    JSON.stringify(workflowIds)
  ).map(({ attempts, status, steps, workflow_id }) => ({ workflowId: workflow_id, status, steps, attempts }))

/** By the order in which all that wait in a queue stand, whatever their partitions. */
export const queueHead = (database: Database, queue: string): string | null =>
  database.get<{ workflow_id: string }>(
    "SELECT workflow_id FROM perdure_queue_item WHERE queue = ? AND state = 'waiting' ORDER BY rank, seq LIMIT 1",
    queue
  )?.workflow_id ?? null

/** The newest of a span, by the index of creation, or by that of names. */
const newest = ({ from, limit, name, to }: Span) => ({
  text: `SELECT * FROM perdure_workflow w WHERE w.created_at >= ? AND w.created_at < ?${
    name === null ? "" : " AND w.name = ?"
  } ORDER BY w.created_at DESC, w.workflow_id DESC LIMIT ?`,
  params: [from, to, ...(name === null ? [] : [name]), limit] as ReadonlyArray<Bind>
})

export const activity = (database: Database, span: Span, bucketMs: number): ReadonlyArray<ActivityRow> => {
  const { params, text } = newest(span)
  return database.all<{ bucket: number; status: WorkflowStatus; count: number; since: number }>(
    `SELECT (w.created_at - CAST(? AS INTEGER)) / CAST(? AS INTEGER) AS bucket, w.status, count(*) AS count, min(w.created_at) AS since
     FROM (${text}) w GROUP BY 1, 2`,
    span.from,
    bucketMs,
    ...params
  )
}

/** `rank` numbers those of a name by how long they took, so that the one at nineteen twentieths is the percentile. */
export const names = (database: Database, span: Span): ReadonlyArray<NameRow> => {
  const { params, text } = newest(span)
  return database.all<NameRow>(
    `SELECT r.name, r.ended, sum(r.status <> 'SUCCESS') AS failed, avg(r.ms) AS meanMs,
       max(CASE WHEN r.rank = (r.ended * 19 + 19) / 20 THEN r.ms END) AS p95Ms, max(r.ms) AS maxMs,
       max(CASE WHEN r.rank = r.ended THEN r.workflow_id END) AS slowestId
     FROM (
       SELECT w.name, w.status, w.workflow_id, w.completed_at - w.started_at AS ms,
         row_number() OVER (PARTITION BY w.name ORDER BY w.completed_at - w.started_at, w.workflow_id) AS rank,
         count(*) OVER (PARTITION BY w.name) AS ended
       FROM (${text}) w WHERE w.completed_at IS NOT NULL AND w.started_at IS NOT NULL
     ) r
     GROUP BY r.name`,
    ...params
  )
}
