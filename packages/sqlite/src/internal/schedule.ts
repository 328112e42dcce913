/** Schedules as rows: written, paused, due, fired once. */
import type { DueSchedule, ScheduleDefinition, ScheduleRow, ScheduleWrite, Start } from "perdure/Store"
import type { Bind, Database } from "./database.ts"
import { Unstorable } from "./database.ts"
import { startOne } from "./start.ts"

interface Columns {
  readonly name: string
  readonly workflow_name: string
  readonly rule: string
  readonly start: string
  readonly origin: "code" | "runtime"
  readonly paused: 0 | 1
  readonly next_fire_at: number | null
  readonly last_fire_at: number | null
  readonly last_workflow_id: string | null
  readonly created_at: number
  readonly updated_at: number
}

const columns = `name, workflow_name, rule, start, origin, paused, next_fire_at, last_fire_at, last_workflow_id,
  created_at, updated_at`

const toRow = (row: Columns): ScheduleRow => ({
  name: row.name,
  workflowName: row.workflow_name,
  rule: row.rule,
  start: row.start,
  origin: row.origin,
  paused: row.paused === 1,
  nextFireAt: row.next_fire_at,
  lastFireAt: row.last_fire_at,
  lastWorkflowId: row.last_workflow_id,
  createdAt: row.created_at,
  updatedAt: row.updated_at
})

const find = (database: Database, name: string): Columns | undefined =>
  database.get(`SELECT ${columns} FROM perdure_schedule WHERE name = ?`, name)

/** Whether code would change nothing by saying it again. */
export const isDeclared = (database: Database, definition: ScheduleDefinition): boolean => {
  const row = find(database, definition.name)
  return row !== undefined && row.origin === "code" && isLike(row, definition)
}

const isLike = (row: Columns, { rule, start, workflowName }: ScheduleDefinition): boolean =>
  row.workflow_name === workflowName && row.rule === rule && row.start === start

export const write = (
  database: Database,
  mode: "declare" | "create" | "update" | "apply",
  definition: ScheduleDefinition,
  nextFireAt: number | null,
  now: number
): ScheduleWrite => {
  const { name, rule, start, workflowName } = definition
  const row = find(database, name)
  if (row === undefined) {
    if (mode === "update") return "unknown"
    database.run(
      `INSERT INTO perdure_schedule (name, workflow_name, rule, start, origin, next_fire_at, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      name,
      workflowName,
      rule,
      start,
      mode === "declare" ? "code" : "runtime",
      nextFireAt,
      now,
      now
    )
    return "written"
  }
  if (mode === "create") return "exists"
  if (mode === "declare" && isDeclared(database, definition)) return "same"
  if (mode === "apply" && isLike(row, definition)) return "same"
  database.run(
    `UPDATE perdure_schedule SET workflow_name = ?, rule = ?, start = ?, origin = ?, next_fire_at = ?, updated_at = ?
     WHERE name = ?`,
    workflowName,
    rule,
    start,
    mode === "declare" ? "code" : row.origin,
    // The same is said at every deploy, and who says something else has not seen the latest fire.
    row.rule === rule ? row.next_fire_at : nextFireAt,
    now,
    name
  )
  return "written"
}

export const list = (
  database: Database,
  filter: {
    readonly names?: ReadonlyArray<string>
    readonly workflowName?: string
    readonly namePrefix?: string
    readonly paused?: boolean
    readonly after?: string
    readonly limit?: number
  }
): ReadonlyArray<ScheduleRow> => {
  const conditions = ["1"]
  const params: Array<Bind> = []
  const where = (condition: string, ...values: ReadonlyArray<Bind>) => {
    conditions.push(condition)
    params.push(...values)
  }
  if (filter.names !== undefined) where("name IN (SELECT value FROM json_each(?))", JSON.stringify(filter.names))
  if (filter.workflowName !== undefined) where("workflow_name = ?", filter.workflowName)
  if (filter.namePrefix !== undefined && filter.namePrefix !== "") {
    where("name >= ? AND name < ?", filter.namePrefix, `${filter.namePrefix}\u{10FFFF}`)
  }
  if (filter.paused !== undefined) where("paused = ?", filter.paused ? 1 : 0)
  if (filter.after !== undefined) where("name > ?", filter.after)
  return database.all<Columns>(
    `SELECT ${columns} FROM perdure_schedule WHERE ${conditions.join(" AND ")} ORDER BY name LIMIT ?`,
    ...params,
    filter.limit ?? -1
  ).map(toRow)
}

/** The next fire is taken only by one that is paused: going on twice moves nothing. */
export const pause = (
  database: Database,
  name: string,
  change: { readonly paused: true } | { readonly paused: false; readonly nextFireAt: number | null },
  now: number
): boolean => {
  const row = find(database, name)
  if (row === undefined) return false
  if ((row.paused === 1) !== change.paused) {
    database.run(
      "UPDATE perdure_schedule SET paused = ?, next_fire_at = ?, updated_at = ? WHERE name = ?",
      change.paused ? 1 : 0,
      change.paused ? row.next_fire_at : change.nextFireAt,
      now,
      name
    )
  }
  return true
}

export const remove = (database: Database, name: string): boolean =>
  database.run("DELETE FROM perdure_schedule WHERE name = ?", name) === 1

/** Earlier than any time of a schedule. */
const beginning = { nextFireAt: Number.MIN_SAFE_INTEGER, name: "" }

export const due = (
  database: Database,
  limit: number,
  after: Pick<DueSchedule, "name" | "nextFireAt"> | null,
  now: number
) => ({
  now,
  due: database.all<Columns & { readonly next_fire_at: number; readonly running: 0 | 1 }>(
    `SELECT ${columns}, EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = last_workflow_id) AS running
     FROM perdure_schedule WHERE paused = 0 AND next_fire_at <= ? AND (next_fire_at, name) > (?, ?)
     ORDER BY next_fire_at, name LIMIT ?`,
    now,
    (after ?? beginning).nextFireAt,
    (after ?? beginning).name,
    limit
  ).map((row) => ({ ...toRow(row), nextFireAt: row.next_fire_at, running: row.running === 1 })),
  nextDueAt: database.get<{ at: number | null }>(
    "SELECT min(next_fire_at) AS at FROM perdure_schedule WHERE paused = 0 AND next_fire_at IS NOT NULL"
  )!.at
})

/**
 * A compare-and-set on the next fire, and the starts in the same commit. A start that cannot be undoes it: a tick is
 * never passed over without a word.
 */
export const fire = (
  database: Database,
  { expected, name, next, starts }: {
    readonly name: string
    readonly expected: number
    readonly next: number | null
    readonly starts: ReadonlyArray<Start>
  },
  now: number
): boolean => {
  const moved = database.run(
    `UPDATE perdure_schedule SET next_fire_at = ?, last_fire_at = ?
     WHERE name = ? AND next_fire_at = ? AND paused = 0`,
    next,
    Math.max(expected, ...starts.map(({ schedule }) => schedule?.at ?? expected)),
    name,
    expected
  )
  if (moved === 0) return false
  let last: string | undefined
  for (const start of starts) {
    const answer = startOne(database, start, now)
    if (answer._tag === "NoQueue") {
      throw new Unstorable(`schedule ${name} did not fire: its queue ${answer.queue} is not registered`)
    }
    last = answer._tag === "Duplicate" || answer._tag === "Debounced" ? answer.workflowId : start.workflowId
  }
  if (last !== undefined) {
    database.run("UPDATE perdure_schedule SET last_workflow_id = ? WHERE name = ?", last, name)
  }
  return true
}
