/**
 * The partitions of a queue that have something waiting. A row tells which item is first and whether it may start, so
 * that a claim finds the ready ones by index however many there are.
 */
import type { QueueLimits } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Rate from "./rate.ts"

type Limits = NonNullable<QueueLimits["partitioned"]>

interface Head {
  readonly name: string
  readonly version: string
  readonly rank: number
  readonly seq: number
}

/** After something of this partition has changed. Does nothing where there are none. */
export const look = (database: Database, queue: string, key: string | null, now: number): void => {
  const limits = key === null ? null : limitsOf(database, queue)
  if (key === null || limits === null) return
  const head = database.get<Head>(
    `SELECT name, version, rank, seq FROM perdure_queue_item
     WHERE queue = ? AND partition_key = ? AND state = 'waiting' ORDER BY rank, seq LIMIT 1`,
    queue,
    key
  )
  if (head === undefined) {
    database.run("DELETE FROM perdure_partition WHERE queue = ? AND partition_key = ?", queue, key)
    return
  }
  const { freeAt, state } = stateOf(database, queue, key, limits, now)
  database.run(
    `INSERT INTO perdure_partition (queue, partition_key, state, name, version, rank, seq, free_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (queue, partition_key) DO UPDATE SET state = excluded.state, name = excluded.name,
       version = excluded.version, rank = excluded.rank, seq = excluded.seq, free_at = excluded.free_at`,
    queue,
    key,
    state,
    head.name,
    head.version,
    head.rank,
    head.seq,
    freeAt
  )
}

const stateOf = (database: Database, queue: string, key: string, limits: Limits, now: number) => {
  const running = database.get<{ n: number }>(
    `SELECT count(*) AS n FROM
       (SELECT 1 FROM perdure_queue_item WHERE queue = ? AND partition_key = ? AND state = 'running' LIMIT ?)`,
    queue,
    key,
    limits.concurrency
  )!.n
  if (running >= limits.concurrency) return { state: "full", freeAt: null } as const
  const freeAt = limits.rateLimit === null ? null : Rate.freeAt(database, queue, key, limits.rateLimit, now)
  return freeAt === null ? { state: "ready", freeAt } as const : { state: "limited", freeAt } as const
}

/** Null: the queue is not partitioned. */
const limitsOf = (database: Database, queue: string): Limits | null => {
  const row = database.get<{ limits: string }>("SELECT limits FROM perdure_queue WHERE name = ?", queue)
  return row === undefined ? null : (JSON.parse(row.limits) as QueueLimits).partitioned
}

/** After the limits of the queue have changed, whether they made partitions of it or did away with them. */
export const lookAll = (database: Database, queue: string, now: number): void => {
  database.run("DELETE FROM perdure_partition WHERE queue = ?", queue)
  const keys = database.all<{ partition_key: string }>(
    `SELECT DISTINCT partition_key FROM perdure_queue_item
     WHERE queue = ? AND state = 'waiting' AND partition_key IS NOT NULL`,
    queue
  )
  for (const { partition_key } of keys) look(database, queue, partition_key, now)
}

/** Looked at by one claim at most; the next one follows at once. */
const batch = 1_000

/** Those whose rate limit lets the next one start now, the first of them. */
export const lookAtFreed = (database: Database, queue: string, now: number): void => {
  const keys = database.all<{ partition_key: string }>(
    `SELECT partition_key FROM perdure_partition
     WHERE queue = ? AND state = 'limited' AND free_at <= ? ORDER BY free_at LIMIT ${batch}`,
    queue,
    now
  )
  for (const { partition_key } of keys) look(database, queue, partition_key, now)
}

/** When the first of those that a rate limit still holds back may start. */
export const nextFreeAt = (database: Database, queue: string, now: number): number | null =>
  database.get<{ at: number | null }>(
    "SELECT min(free_at) AS at FROM perdure_partition WHERE queue = ? AND state = 'limited' AND free_at > ?",
    queue,
    now
  )!.at

/** Whether a rate limit lets one go on that nobody has looked at since. */
export const isFreed = (database: Database, queue: string, now: number): boolean =>
  database.get(
    "SELECT 1 FROM perdure_partition WHERE queue = ? AND state = 'limited' AND free_at <= ? LIMIT 1",
    queue,
    now
  ) !== undefined
