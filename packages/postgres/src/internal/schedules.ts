/** Schedules as rows: written, paused, due, fired once. */
import * as Effect from "effect/Effect"
import type { ScheduleDefinition, ScheduleRow, ScheduleStore, ScheduleWrite, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { encode, flushCall } from "./encoding.ts"
import { retryLocks } from "./locks.ts"
import { afterPrefix } from "./prefix.ts"
import {
  applyStatement,
  createStatement,
  declareStatement,
  deleteStatement,
  dueStatement,
  fireStatement,
  pauseStatement,
  scheduleColumns,
  updateStatement
} from "./sql/schedules.ts"

/** How long a fire waits for an id that somebody's open transaction is inserting. */
const lockMs = 100

const timeOf = (value: unknown): number | null => value === null ? null : Number(value)
const textOf = (time: number | null): string | null => time === null ? null : String(Math.round(time))

/** The columns of {@link scheduleColumns}. */
const rowOf = (columns: ReadonlyArray<unknown>): ScheduleRow => {
  const [
    name,
    workflowName,
    rule,
    start,
    origin,
    paused,
    nextFireAt,
    lastFireAt,
    lastWorkflowId,
    createdAt,
    updatedAt
  ] = columns
  return {
    name: name as string,
    workflowName: workflowName as string,
    rule: rule as string,
    start: start as string,
    origin: origin as ScheduleRow["origin"],
    paused: paused === true,
    nextFireAt: timeOf(nextFireAt),
    lastFireAt: timeOf(lastFireAt),
    lastWorkflowId: lastWorkflowId as string | null,
    createdAt: Number(createdAt),
    updatedAt: Number(updatedAt)
  }
}

/** Earlier than any time of a schedule. */
const beginning = { nextFireAt: Number.MIN_SAFE_INTEGER, name: "" }

/** What it means that a write touched no row. */
const untouched = { declare: "same", create: "exists", update: "unknown" } as const

export const make = (database: Database): ScheduleStore => {
  const s = database.s
  const writes = { declare: declareStatement(s), create: createStatement(s), update: updateStatement(s) }
  const applySql = applyStatement(s)
  const pauseSql = pauseStatement(s)
  const deleteSql = deleteStatement(s)
  const dueSql = dueStatement(s)
  const fireSql = fireStatement(s, flushCall)
  const touched = (sql: string, parameters: ReadonlyArray<unknown>): Effect.Effect<boolean, StoreError> =>
    Effect.map(database.query(sql, parameters), (rows) => rows.length > 0)

  return {
    writeSchedule: (mode, definition: ScheduleDefinition, nextFireAt) =>
      Effect.map(
        touched(writes[mode], [
          definition.name,
          definition.workflowName,
          definition.rule,
          definition.start,
          textOf(nextFireAt)
        ]),
        (written): ScheduleWrite => written ? "written" : untouched[mode]
      ),

    applySchedules: (all) =>
      all.length === 0 ? Effect.succeed([]) : Effect.map(
        database.query(applySql, [
          all.map(({ definition }) => definition.name),
          all.map(({ definition }) => definition.workflowName),
          all.map(({ definition }) => definition.rule),
          all.map(({ definition }) => definition.start),
          all.map(({ nextFireAt }) => textOf(nextFireAt))
        ]),
        (rows) => {
          const written = new Set(rows.map(([name]) => name))
          return all.map(({ definition }): ScheduleWrite => written.has(definition.name) ? "written" : "same")
        }
      ),

    schedules: (filter) =>
      Effect.suspend(() => {
        const conditions: Array<string> = []
        const parameters: Array<unknown> = []
        const add = (value: unknown): string => `$${parameters.push(value)}`
        if (filter.names !== undefined) conditions.push(`c.name = ANY (${add(filter.names)}::text[])`)
        if (filter.workflowName !== undefined) conditions.push(`c.workflow_name = ${add(filter.workflowName)}::text`)
        if (filter.paused !== undefined) conditions.push(`c.paused = ${add(filter.paused)}::boolean`)
        if (filter.namePrefix !== undefined && filter.namePrefix !== "") {
          conditions.push(`c.name >= ${add(filter.namePrefix)}::text`)
          const end = afterPrefix(filter.namePrefix)
          if (end !== null) conditions.push(`c.name < ${add(end)}::text`)
        }
        if (filter.after !== undefined) conditions.push(`c.name > ${add(filter.after)}::text`)
        const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`
        return Effect.map(
          database.query(
            `SELECT ${scheduleColumns} FROM ${s}.schedule c ${where} ORDER BY c.name${
              filter.limit === undefined ? "" : ` LIMIT ${add(String(filter.limit))}::integer`
            }`,
            parameters
          ),
          (rows) => rows.map(rowOf)
        )
      }),

    pauseSchedule: (name, change) =>
      touched(pauseSql, [name, change.paused, change.paused ? null : textOf(change.nextFireAt)]),

    deleteSchedule: (name) => touched(deleteSql, [name]),

    dueSchedules: (limit, after) => {
      const { name, nextFireAt } = after ?? beginning
      const parameters = [String(Math.max(0, Math.trunc(limit))), textOf(nextFireAt), name]
      return Effect.map(database.query(dueSql, parameters), (rows) => ({
        now: Number(rows[0]![0]),
        due: rows.flatMap(([, , running, ...columns]) => {
          if (columns[0] === null) return []
          const row = rowOf(columns)
          return [{ ...row, nextFireAt: row.nextFireAt!, running: running === true }]
        }),
        nextDueAt: timeOf(rows[0]![1])
      }))
    },

    fire: ({ expected, name, next, starts }) =>
      Effect.map(
        retryLocks(Effect.suspend(() =>
          database.run(fireSql, [
            name,
            textOf(expected),
            textOf(next),
            textOf(Math.max(expected, ...starts.map(({ schedule }) => schedule?.at ?? expected))),
            starts.at(-1)?.workflowId ?? null,
            String(starts.length - 1),
            ...encode(starts, lockMs)
          ])
        )),
        (rows) => rows.length > 0
      )
  }
}
