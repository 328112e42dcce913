/** Rate limits: the starts that still count, of a queue (key null) or of one of its partitions. */
import type { RateLimit } from "perdure/Store"
import type { Database } from "./database.ts"

export const add = (database: Database, queue: string, key: string | null, now: number): void => {
  database.run("INSERT INTO perdure_queue_start (queue, partition_key, at) VALUES (?, ?, ?)", queue, key, now)
}

/** More than a start adds, so that few are left, however many came at once before. */
const forgotten = 10

/** Those up to a time, of any key, one of which may never come again. */
export const forget = (database: Database, queue: string, until: number): void => {
  database.run(
    `DELETE FROM perdure_queue_start WHERE id IN
       (SELECT id FROM perdure_queue_start WHERE queue = ? AND at <= ? ORDER BY at LIMIT ?)`,
    queue,
    until,
    forgotten
  )
}

/** How many more may start now. */
export const left = (
  database: Database,
  queue: string,
  key: string | null,
  { limit, periodMs }: RateLimit,
  now: number
): number => {
  const counted = database.get<{ n: number }>(
    `SELECT count(*) AS n FROM
       (SELECT 1 FROM perdure_queue_start WHERE queue = ? AND partition_key IS ? AND at > ? LIMIT ?)`,
    queue,
    key,
    now - periodMs,
    limit
  )!.n
  return limit - counted
}

/** When the next one may start; null: now. The oldest of the newest `limit` starts has to leave the period first. */
export const freeAt = (
  database: Database,
  queue: string,
  key: string | null,
  { limit, periodMs }: RateLimit,
  now: number
): number | null => {
  const at = database.get<{ at: number }>(
    `SELECT at FROM perdure_queue_start WHERE queue = ? AND partition_key IS ? AND at > ?
     ORDER BY at DESC LIMIT 1 OFFSET ?`,
    queue,
    key,
    now - periodMs,
    limit - 1
  )?.at
  return at === undefined ? null : at + periodMs
}
