/** Rate limits: the starts that still count, of a queue (key null) or of one of its partitions. */
import type { RateLimit } from "perdure/Store"
import type { Database } from "./database.ts"

/** One start more. Those that no limit counts any more are forgotten. */
export const add = (
  database: Database,
  queue: string,
  key: string | null,
  { periodMs }: RateLimit,
  now: number
): void => {
  database.run(
    "DELETE FROM perdure_queue_start WHERE queue = ? AND partition_key IS ? AND at <= ?",
    queue,
    key,
    now - periodMs
  )
  database.run("INSERT INTO perdure_queue_start (queue, partition_key, at) VALUES (?, ?, ?)", queue, key, now)
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
