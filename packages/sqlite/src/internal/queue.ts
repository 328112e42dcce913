/** Queues: what restricts them, who has said so, and how many are in them. */
import { queueCountLimit, type QueueLimits, type QueueRow } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Partition from "./partition.ts"
import * as Rate from "./rate.ts"

export interface Queue {
  readonly name: string
  readonly limits: QueueLimits
  /** As code declares them; what counts where no operator has set others. */
  readonly declared: QueueLimits
  readonly overridden: boolean
  readonly paused: boolean
}

interface Columns {
  readonly name: string
  readonly limits: string
  readonly declared: string
  readonly overridden: 0 | 1
  readonly paused: 0 | 1
}

const toQueue = (row: Columns): Queue => ({
  name: row.name,
  limits: JSON.parse(row.limits),
  declared: JSON.parse(row.declared),
  overridden: row.overridden === 1,
  paused: row.paused === 1
})

export const find = (database: Database, name: string): Queue | undefined => {
  const row = database.get<Columns>(
    "SELECT name, limits, declared, overridden, paused FROM perdure_queue WHERE name = ?",
    name
  )
  return row === undefined ? undefined : toQueue(row)
}

/**
 * One number to sort by, fixed while it waits: lower first, equal ones by when they came. With ageing all ranks rise
 * equally fast with time, so that their order never changes and nothing has to be rewritten.
 */
export const rank = (limits: QueueLimits | undefined, priority: number, enqueuedAt: number): number =>
  limits === undefined || limits.ageingMs === null ? -priority : enqueuedAt - priority * limits.ageingMs

/** Whether {@link register} would change nothing. Read without the write lock, since every start of a process asks. */
export const isDeclared = (database: Database, name: string, limits: QueueLimits): boolean => {
  const before = find(database, name)
  return before !== undefined && text(before.declared) === text(limits)
}

export const register = (database: Database, name: string, limits: QueueLimits, now: number): void => {
  const before = find(database, name)
  const declared = text(limits)
  if (before === undefined) {
    database.run("INSERT INTO perdure_queue (name, limits, declared) VALUES (?, ?, ?)", name, declared, declared)
    return
  }
  database.run("UPDATE perdure_queue SET declared = ? WHERE name = ?", declared, name)
  if (!before.overridden) change(database, before, limits, now)
}

/** Always in this order of fields, so that equal limits are equal texts. */
const text = ({ ageingMs, concurrency, executorConcurrency, partitioned, rateLimit }: QueueLimits): string =>
  JSON.stringify({
    concurrency,
    executorConcurrency,
    rateLimit: rate(rateLimit),
    partitioned: partitioned === null ? null : {
      concurrency: partitioned.concurrency,
      executorConcurrency: partitioned.executorConcurrency,
      rateLimit: rate(partitioned.rateLimit)
    },
    ageingMs
  })

const rate = (limit: QueueLimits["rateLimit"]) =>
  limit === null ? null : { limit: limit.limit, periodMs: limit.periodMs }

export const set = (
  database: Database,
  name: string,
  { limits, paused }: { readonly limits?: QueueLimits | null; readonly paused?: boolean },
  now: number
): boolean => {
  const before = find(database, name)
  if (before === undefined) return false
  if (limits !== undefined) {
    database.run("UPDATE perdure_queue SET overridden = ? WHERE name = ?", limits === null ? 0 : 1, name)
    change(database, before, limits ?? before.declared, now)
  }
  if (paused !== undefined) database.run("UPDATE perdure_queue SET paused = ? WHERE name = ?", paused ? 1 : 0, name)
  return true
}

/** The key that counts for what is in the queue: of a partitioned one all have one, of another none has. */
export const keyIn = (limits: QueueLimits | undefined, partitionKey: string | null): string | null =>
  limits === undefined || limits.partitioned === null ? null : partitionKey ?? ""

/**
 * What waits, or may wait again, is ranked anew when ageing changes. Where there were partitions and are none any more,
 * or the other way round, all that is in the queue loses its key, or has it (again). And each partition may have become
 * ready or full.
 */
const change = (database: Database, before: Queue, limits: QueueLimits, now: number): void => {
  if (text(before.limits) === text(limits)) return
  database.run("UPDATE perdure_queue SET limits = ? WHERE name = ?", text(limits), before.name)
  if (before.limits.ageingMs !== limits.ageingMs) {
    database.run(
      `UPDATE perdure_queue_item SET
         rank = iif(? IS NULL, -CAST(priority AS REAL), enqueued_at - priority * CAST(? AS REAL))
       WHERE queue = ? AND state IN ('waiting', 'running')`,
      limits.ageingMs,
      limits.ageingMs,
      before.name
    )
  }
  if ((before.limits.partitioned === null) !== (limits.partitioned === null)) {
    database.run(
      `UPDATE perdure_queue_item SET partition_key = iif(?, NULL, coalesce(
         (SELECT w.partition_key FROM perdure_workflow w WHERE w.workflow_id = perdure_queue_item.workflow_id), ''))
       WHERE queue = ?`,
      limits.partitioned === null ? 1 : 0,
      before.name
    )
  }
  Partition.lookAll(database, before.name, now)
}

export const list = (database: Database, names: ReadonlyArray<string> | null): ReadonlyArray<QueueRow> =>
  (names === null
    ? database.all<Columns>("SELECT name, limits, declared, overridden, paused FROM perdure_queue ORDER BY name")
    : database.all<Columns>(
      `SELECT name, limits, declared, overridden, paused FROM perdure_queue
       WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name`,
      JSON.stringify(names)
    )).map(toQueue).map((row) => ({
      name: row.name,
      limits: row.limits,
      overridden: row.overridden,
      paused: row.paused,
      waiting: count(database, row.name, "waiting", queueCountLimit),
      delayed: count(database, row.name, "delayed", queueCountLimit),
      running: count(database, row.name, "running", queueCountLimit),
      oldestAt: database.get<{ at: number | null }>(
        "SELECT min(enqueued_at) AS at FROM perdure_queue_item WHERE queue = ? AND state = 'waiting'",
        row.name
      )!.at
    }))

/** How many of its items are in this state, counted up to `limit`. */
export const count = (
  database: Database,
  name: string,
  state: "waiting" | "delayed" | "running",
  limit: number
): number =>
  database.get<{ n: number }>(
    "SELECT count(*) AS n FROM (SELECT 1 FROM perdure_queue_item WHERE queue = ? AND state = ? LIMIT ?)",
    name,
    state,
    limit
  )!.n

/** When its own rate limit lets the next one start; null: now, or it has none. */
export const rateFreeAt = (database: Database, name: string, now: number): number | null => {
  const rateLimit = find(database, name)?.limits.rateLimit ?? null
  return rateLimit === null ? null : Rate.freeAt(database, name, null, rateLimit, now)
}

export const remove = (database: Database, name: string): "deleted" | "occupied" | "unknown" => {
  if (find(database, name) === undefined) return "unknown"
  if (database.get("SELECT 1 FROM perdure_queue_item WHERE queue = ? LIMIT 1", name) !== undefined) return "occupied"
  database.run("DELETE FROM perdure_queue WHERE name = ?", name)
  database.run("DELETE FROM perdure_queue_start WHERE queue = ?", name)
  return "deleted"
}
