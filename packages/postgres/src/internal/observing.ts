/** What is looked at again and again: reads that lock nothing. */
import * as Effect from "effect/Effect"
import type { ObservationStore, Span } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { activityStatement, namesStatement, progressStatement, queueHeadStatement } from "./sql/observing.ts"

const parametersOf = ({ from, limit, name, to }: Span): ReadonlyArray<unknown> => [
  String(Math.ceil(from)),
  String(Math.ceil(to)),
  String(limit),
  ...(name === null ? [] : [name])
]

export const make = (database: Database): Omit<ObservationStore, "listWithin" | "countWithin"> => {
  const s = database.s
  const progressSql = progressStatement(s)
  const headSql = queueHeadStatement(s)
  return {
    progress: (workflowIds) =>
      Effect.map(
        database.query(progressSql, [workflowIds]),
        (rows) =>
          rows.map(([workflowId, status, steps, attempts]) => ({
            workflowId: workflowId as string,
            status: status as WorkflowStatus,
            steps: Number(steps),
            attempts: Number(attempts)
          }))
      ),

    queueHead: (queue) =>
      Effect.map(database.query(headSql, [queue]), (rows) => rows[0] === undefined ? null : rows[0][0] as string),

    // Planned for their very values, as lists are: how much of the table a span is decides.
    activity: (span, bucketMs) =>
      Effect.map(
        database.once(activityStatement(s, span.name !== null), [...parametersOf(span), String(Math.ceil(bucketMs))]),
        (rows) =>
          rows.map(([bucket, status, count, since]) => ({
            bucket: Number(bucket),
            status: status as WorkflowStatus,
            count: Number(count),
            since: Number(since)
          }))
      ),

    names: (span) =>
      Effect.map(
        database.once(namesStatement(s, span.name !== null), parametersOf(span)),
        (rows) =>
          rows.map(([name, ended, failed, meanMs, p95Ms, maxMs, slowestId]) => ({
            name: name as string,
            ended: Number(ended),
            failed: Number(failed),
            meanMs: Number(meanMs),
            p95Ms: Number(p95Ms),
            maxMs: Number(maxMs),
            slowestId: slowestId as string
          }))
      )
  }
}
