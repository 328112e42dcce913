/** Reads. They lock nothing and are never on the write path. */
import * as Effect from "effect/Effect"
import type { ManagementStore, Outcome, StepRow, StoreError, WorkflowRow } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { workflowOf } from "./rows.ts"
import { besides, workflowRow } from "./sql/rows.ts"

/** Records, and steps of which only failed attempts are recorded so far. A full page has nothing beyond its last record. */
const stepsStatement = (s: string): string => `
  WITH t AS (
    SELECT * FROM ${s}.step WHERE workflow_id = $1::text AND step_id > $2::integer ORDER BY step_id LIMIT $3::integer
  ), a AS (
    SELECT step_id, min(key) AS key, min(name) AS name, count(*) AS attempts, min(at) AS at,
      json_agg(json_build_object('error', error, 'at', at, 'retryAt', retry_at) ORDER BY attempt) AS failed
    FROM ${s}.attempt WHERE workflow_id = $1::text AND step_id > $2::integer
      AND step_id <= coalesce((SELECT max(step_id) FROM t HAVING count(*) = $3::integer), 2147483647)
    GROUP BY step_id
  )
  SELECT json_build_object(
    'stepId', coalesce(t.step_id, a.step_id), 'seq', t.seq, 'key', coalesce(t.key, a.key),
    'name', coalesce(t.name, a.name), 'kind', coalesce(t.kind, 'step'), 'outcome', t.outcome, 'value', t.value,
    'attempts', coalesce(t.attempts, a.attempts), 'failedAttempts', coalesce(a.failed, '[]'),
    'startedAt', coalesce(t.started_at, a.at), 'completedAt', t.at, 'childId', t.child_id)::text
  FROM t FULL JOIN a ON a.step_id = t.step_id
  ORDER BY coalesce(t.step_id, a.step_id) LIMIT $3::integer`

const outcomesStatement = (s: string): string => `
  SELECT k.id, w.workflow_id IS NOT NULL, w.name, w.status, w.output, w.reason, o.open
  FROM unnest($1::text[]) AS k(id)
  LEFT JOIN LATERAL (SELECT * FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w ON true
  LEFT JOIN LATERAL (SELECT true AS open FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0) o ON true
  WHERE o.open IS NULL OR w.status = 'BLOCKED'`

/** The topic of an entry is '' for the end, else a letter and the key. */
const awaitedStatement = (s: string): string => `
  SELECT x.target_id, x.topic, w.status
  FROM ${s}.waiter x
  LEFT JOIN LATERAL (SELECT w.status FROM ${s}.workflow w WHERE w.workflow_id = x.target_id OFFSET 0) w ON true
  WHERE x.waiter_id = $1::text ORDER BY x.target_id, x.topic`

const topics = { e: "event", s: "stream" } as const

// every row is one JSON text, built by these statements in the shape of the contract
const parse = <A>(rows: ReadonlyArray<ReadonlyArray<unknown>>): ReadonlyArray<A> =>
  rows.map(([json]) => JSON.parse(json as string) as A)

export const make = (database: Database) => {
  const s = database.s
  const getSql = `SELECT ${workflowRow(s)}::text FROM ${s}.workflow w ${besides(s)} WHERE w.workflow_id = $1::text`
  const stepsSql = stepsStatement(s)
  const outcomesSql = outcomesStatement(s)
  const awaitedSql = awaitedStatement(s)

  const get = (workflowId: string): Effect.Effect<WorkflowRow | null, StoreError> =>
    Effect.map(
      database.query(getSql, [workflowId]),
      (rows) => rows.length === 0 ? null : workflowOf(rows[0]![0] as string)
    )

  const steps = (
    workflowId: string,
    { after, limit } = { after: -1, limit: 2_147_483_647 }
  ): Effect.Effect<ReadonlyArray<StepRow>, StoreError> =>
    Effect.map(database.query(stepsSql, [workflowId, String(after), String(limit)]), parse<StepRow>)

  const outcomes = (workflowIds: ReadonlyArray<string>): Effect.Effect<
    {
      readonly done: ReadonlyArray<Outcome>
      readonly blocked: ReadonlyArray<Outcome>
      readonly unknown: ReadonlyArray<string>
    },
    StoreError
  > =>
    Effect.map(database.query(outcomesSql, [workflowIds]), (rows) => {
      const done: Array<Outcome> = []
      const blocked: Array<Outcome> = []
      const unknown: Array<string> = []
      for (const [workflowId, known, name, status, output, reason, open] of rows) {
        if (known !== true) unknown.push(workflowId as string)
        else (open === true ? blocked : done).push({ workflowId, name, status, output, reason } as Outcome)
      }
      return { done, blocked, unknown }
    })

  const awaited: ManagementStore["awaited"] = (workflowId) =>
    Effect.map(database.query(awaitedSql, [workflowId]), (rows) =>
      rows.map(([target, topic, status]) => {
        const text = topic as string
        return {
          workflowId: target as string,
          on: text === "" ? "end" : topics[text[0] as keyof typeof topics],
          key: text.slice(1),
          status: status as WorkflowStatus | null
        }
      }))

  return { get, steps, outcomes, awaited }
}
