/** Reads. They lock nothing and are never on the write path. */
import * as Effect from "effect/Effect"
import type { ListFilter, Outcome, StepRow, StoreError, WorkflowRow } from "perdure/Store"
import type { Database } from "./database.ts"
import { afterPrefix } from "./prefix.ts"
import { workflowRow } from "./sql/rows.ts"

/** Probes per row found: a plan that was made when the tables were small stays right. */
const rest = (s: string): string => `
  LEFT JOIN LATERAL (SELECT * FROM ${s}.ownership o WHERE o.workflow_id = w.workflow_id OFFSET 0) o ON true
  LEFT JOIN LATERAL (SELECT * FROM ${s}.mailbox m WHERE m.workflow_id = w.workflow_id OFFSET 0) m ON true`

/** Records, and steps of which only failed attempts are recorded so far. */
const stepsStatement = (s: string): string => `
  WITH t AS (
    SELECT * FROM ${s}.step WHERE workflow_id = $1::text
  ), a AS (
    SELECT step_id, min(key) AS key, min(name) AS name, count(*) AS attempts, min(at) AS at,
      json_agg(error ORDER BY attempt) AS errors
    FROM ${s}.attempt WHERE workflow_id = $1::text GROUP BY step_id
  )
  SELECT json_build_object(
    'stepId', coalesce(t.step_id, a.step_id), 'seq', t.seq, 'key', coalesce(t.key, a.key),
    'name', coalesce(t.name, a.name), 'kind', coalesce(t.kind, 'step'), 'outcome', t.outcome, 'value', t.value,
    'attempts', coalesce(t.attempts, a.attempts), 'attemptErrors', coalesce(a.errors, '[]'),
    'startedAt', coalesce(t.started_at, a.at), 'completedAt', t.at, 'childId', t.child_id)::text
  FROM t FULL JOIN a ON a.step_id = t.step_id
  ORDER BY coalesce(t.step_id, a.step_id)`

const outcomesStatement = (s: string): string => `
  SELECT k.id, w.workflow_id IS NOT NULL, w.name, w.status, w.output, w.reason, o.open
  FROM unnest($1::text[]) AS k(id)
  LEFT JOIN LATERAL (SELECT * FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w ON true
  LEFT JOIN LATERAL (SELECT true AS open FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0) o ON true
  WHERE o.open IS NULL OR w.status = 'BLOCKED'`

// every row is one JSON text, built by these statements in the shape of the contract
const parse = <A>(rows: ReadonlyArray<ReadonlyArray<unknown>>): ReadonlyArray<A> =>
  rows.map(([json]) => JSON.parse(json as string) as A)

export const make = (database: Database) => {
  const s = database.s
  const getSql = `SELECT ${workflowRow(s)}::text FROM ${s}.workflow w ${rest(s)} WHERE w.workflow_id = $1::text`
  const stepsSql = stepsStatement(s)
  const outcomesSql = outcomesStatement(s)

  const get = (workflowId: string): Effect.Effect<WorkflowRow | null, StoreError> =>
    Effect.map(database.query(getSql, [workflowId]), (rows) => parse<WorkflowRow>(rows)[0] ?? null)

  const list = (filter: ListFilter): Effect.Effect<ReadonlyArray<WorkflowRow>, StoreError> =>
    Effect.suspend(() => {
      const conditions: Array<string> = ["true"]
      const parameters: Array<unknown> = []
      const add = (value: unknown): string => `$${parameters.push(value)}`
      // numbers travel as text and are cast: the driver would choose a type by the value
      if (filter.status !== undefined) conditions.push(`w.status = ANY (${add(filter.status)}::text[])`)
      if (filter.names !== undefined) conditions.push(`w.name = ANY (${add(filter.names)}::text[])`)
      if (filter.parentId !== undefined) conditions.push(`w.parent_id = ${add(filter.parentId)}::text`)
      if (filter.idPrefix !== undefined && filter.idPrefix !== "") {
        conditions.push(`w.workflow_id >= ${add(filter.idPrefix)}::text`)
        const end = afterPrefix(filter.idPrefix)
        if (end !== null) conditions.push(`w.workflow_id < ${add(end)}::text`)
      }
      if (filter.createdFrom !== undefined) {
        conditions.push(`w.created_at >= ceil(${add(String(filter.createdFrom))}::numeric)::bigint`)
      }
      if (filter.createdTo !== undefined) {
        conditions.push(`w.created_at < ceil(${add(String(filter.createdTo))}::numeric)::bigint`)
      }
      const descending = filter.order === "desc"
      if (filter.after !== undefined) {
        conditions.push(
          `(w.created_at, w.workflow_id) ${descending ? "<" : ">"} `
            + `(${add(String(filter.after.createdAt))}::bigint, ${add(filter.after.workflowId)}::text COLLATE "C")`
        )
      }
      const order = descending ? "DESC" : "ASC"
      return Effect.map(
        database.query(
          `SELECT ${workflowRow(s)}::text FROM (
            SELECT * FROM ${s}.workflow w WHERE ${conditions.join(" AND ")}
            ORDER BY w.created_at ${order}, w.workflow_id ${order} LIMIT ${add(String(filter.limit))}::integer
          ) w ${rest(s)}
          ORDER BY w.created_at ${order}, w.workflow_id ${order}`,
          parameters
        ),
        parse<WorkflowRow>
      )
    })

  const steps = (workflowId: string): Effect.Effect<ReadonlyArray<StepRow>, StoreError> =>
    Effect.map(database.query(stepsSql, [workflowId]), parse<StepRow>)

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

  return { get, list, steps, outcomes }
}
