/** What is due outside of queues, and what of a queue was admitted before and wakes up. */
import type { Served } from "perdure/Store"
import type { Database } from "./database.ts"

export interface Due {
  readonly workflow_id: string
  readonly wake_at: number
}

/** One probe of the index per served pair: rows that nobody here can run cost nothing, however many there are. */
export const dueNow = (
  database: Database,
  queue: string,
  served: ReadonlyArray<Served>,
  limit: number,
  now: number
): ReadonlyArray<string> =>
  limit <= 0 ? [] : served.flatMap(({ name, version }) =>
    database.all<Due>(
      `SELECT workflow_id, wake_at FROM perdure_mailbox
       WHERE queue = ? AND name = ? AND version = ? AND wake_at <= ? ORDER BY wake_at, workflow_id LIMIT ?`,
      queue,
      name,
      version,
      now,
      limit
    )
  ).sort((a, b) => a.wake_at - b.wake_at || (a.workflow_id < b.workflow_id ? -1 : 1))
    .slice(0, limit)
    .map((_) => _.workflow_id)

/** When the next one is, from a time on. */
export const nextDue = (database: Database, queue: string, { name, version }: Served, from: number): number | null =>
  database.get<{ at: number | null }>(
    "SELECT min(wake_at) AS at FROM perdure_mailbox WHERE queue = ? AND name = ? AND version = ? AND wake_at >= ?",
    queue,
    name,
    version,
    from
  )!.at

/** Whether anything waits in the queue, whoever can run it and for whatever reason. */
export const waits = (database: Database, queue: string): boolean =>
  database.get("SELECT 1 FROM perdure_queue_item WHERE state = 'waiting' AND queue = ? LIMIT 1", queue) !== undefined

/** The queues in which something sleeps, or waits: found by their names, not by reading what is in them. */
export const queuesInUse = (database: Database): ReadonlyArray<string> =>
  [
    ...new Set([...namesIn(database, sleeping), ...namesIn(database, waiting)])
  ].sort()

const sleeping = "perdure_mailbox WHERE wake_at IS NOT NULL AND queue >"
const waiting = "perdure_queue_item WHERE state = 'waiting' AND queue >"

const namesIn = (database: Database, from: string): ReadonlyArray<string> =>
  database.all<{ name: string }>(
    `WITH RECURSIVE found (name) AS (
       SELECT (SELECT min(queue) FROM ${from} '')
       UNION ALL
       SELECT (SELECT min(queue) FROM ${from} found.name) FROM found WHERE found.name IS NOT NULL
     ) SELECT name FROM found WHERE name IS NOT NULL`
  ).map((_) => _.name)
