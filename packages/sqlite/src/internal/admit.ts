/**
 * What a queue lets in now: as many as its limits leave room for, in its order. With one writer nobody else counts at
 * the same time, so that what is counted here holds until it is written.
 */
import type { Served } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Partition from "./partition.ts"
import * as Queue from "./queue.ts"
import * as Rate from "./rate.ts"

/** How many of this queue the executor may take into its memory, newly admitted or woken. */
export const memoryRoom = (database: Database, queue: Queue.Queue, incarnation: string): number => {
  const { executorConcurrency } = queue.limits
  return executorConcurrency === null
    ? Infinity
    : executorConcurrency - inMemory(database, queue.name, incarnation, executorConcurrency)
}

/** The same for one of its partitions. */
export const partitionMemoryRoom = (
  database: Database,
  queue: Queue.Queue,
  key: string,
  incarnation: string
): number => {
  const limit = queue.limits.partitioned?.executorConcurrency ?? null
  if (limit === null) return Infinity
  return limit - database.get<{ n: number }>(
    `SELECT count(*) AS n FROM
       (SELECT 1 FROM perdure_queue_item WHERE executor = ? AND queue = ? AND partition_key = ? LIMIT ?)`,
    incarnation,
    queue.name,
    key,
    limit
  )!.n
}

const inMemory = (database: Database, queue: string, incarnation: string, limit: number): number =>
  database.get<{ n: number }>(
    "SELECT count(*) AS n FROM (SELECT 1 FROM perdure_queue_item WHERE executor = ? AND queue = ? LIMIT ?)",
    incarnation,
    queue,
    limit
  )!.n

/** How many it may admit, at most `most`. */
export const room = (
  database: Database,
  queue: Queue.Queue,
  incarnation: string,
  most: number,
  now: number
): number => {
  if (queue.paused) return 0
  const { concurrency, rateLimit } = queue.limits
  return Math.min(
    most,
    memoryRoom(database, queue, incarnation),
    concurrency === null ? Infinity : concurrency - Queue.count(database, queue.name, "running", concurrency),
    rateLimit === null ? Infinity : Rate.left(database, queue.name, null, rateLimit, now)
  )
}

interface Candidate {
  readonly rank: number
  readonly seq: number
}

export const inOrder = (a: Candidate, b: Candidate): number => a.rank - b.rank || a.seq - b.seq

/** The first of those that wait outside of partitions, of the served pairs: at most `limit`. */
export const first = (
  database: Database,
  queue: string,
  served: ReadonlyArray<Served>,
  limit: number
): ReadonlyArray<string> =>
  pairsIn(database, plain, queue, served).flatMap(({ name, version }) =>
    database.all<Candidate & { readonly workflow_id: string }>(
      `SELECT workflow_id, rank, seq FROM perdure_queue_item
       WHERE queue = ? AND name = ? AND version = ? AND state = 'waiting' AND partition_key IS NULL
       ORDER BY rank, seq LIMIT ?`,
      queue,
      name,
      version,
      limit
    )
  ).sort(inOrder).slice(0, limit).map((_) => _.workflow_id)

/** What waits first under a key. */
export interface Head extends Candidate, Served {
  readonly partition_key: string
}

/**
 * The first of the heads of partitions that may start here: at most `limit`. Only the head of a partition ever may, and it
 * is looked for under its own name: what waits behind another executor's head is not seen. One read of what the executor
 * has in memory tells which partitions have as much of it as they may, so that those are passed over once, and not asked
 * for one by one.
 */
export const heads = (
  database: Database,
  queue: Queue.Queue,
  served: ReadonlyArray<Served>,
  incarnation: string,
  limit: number
): ReadonlyArray<Head> => {
  const own = queue.limits.partitioned?.executorConcurrency ?? null
  return pairsIn(database, ready, queue.name, served).flatMap(({ name, version }) =>
    database.all<Head>(
      `SELECT partition_key, name, version, rank, seq FROM perdure_partition
       WHERE queue = ? AND name = ? AND version = ? AND state = 'ready' ${own === null ? "" : `AND ${hasRoom}`}
       ORDER BY rank, seq LIMIT ?`,
      queue.name,
      name,
      version,
      ...(own === null ? [] : [incarnation, queue.name, own]),
      limit
    )
  ).sort(inOrder).slice(0, limit)
}

const hasRoom = `partition_key NOT IN (
         SELECT partition_key FROM perdure_queue_item
         WHERE executor = ? AND queue = ? AND partition_key IS NOT NULL
         GROUP BY partition_key HAVING count(*) >= ?)`

/** What is behind a head that was just admitted, if it may start here too. It never comes before that one. */
export const behind = (
  database: Database,
  queue: Queue.Queue,
  served: ReadonlyArray<Served>,
  incarnation: string,
  { partition_key }: Head
): ReadonlyArray<Head> => {
  if (partitionMemoryRoom(database, queue, partition_key, incarnation) <= 0) return []
  return database.all<Head>(
    `SELECT partition_key, name, version, rank, seq FROM perdure_partition
     WHERE queue = ? AND partition_key = ? AND state = 'ready'`,
    queue.name,
    partition_key
  ).filter((head) => served.some(({ name, version }) => name === head.name && version === head.version))
}

/** Which workflow waits there. */
export const workflowOf = (database: Database, { seq }: Head): string =>
  database.get<{ workflow_id: string }>("SELECT workflow_id FROM perdure_queue_item WHERE seq = ?", seq)!.workflow_id

const plain = "perdure_queue_item WHERE state = 'waiting' AND partition_key IS NULL AND queue ="
const ready = "perdure_partition WHERE state = 'ready' AND queue ="

/**
 * The served ones of the pairs of name and version that wait: a loose scan, two probes for each pair that is there. (As
 * one comparison of the pair, SQLite reads everything of the same name.)
 */
const pairsIn = (
  database: Database,
  from: string,
  queue: string,
  served: ReadonlyArray<Served>
): ReadonlyArray<Served> => {
  const known = new Set(served.map(({ name, version }) => JSON.stringify([name, version])))
  const found: Array<Served> = []
  let pair = nextName(database, from, queue, "")
  while (pair !== undefined) {
    if (known.has(JSON.stringify([pair.name, pair.version]))) found.push(pair)
    pair = nextVersion(database, from, queue, pair) ?? nextName(database, from, queue, pair.name)
  }
  return found
}

const nextName = (database: Database, from: string, queue: string, after: string): Served | undefined =>
  database.get(
    `SELECT name, version FROM ${from} ? AND name > ? ORDER BY name, version LIMIT 1`,
    queue,
    after
  )

const nextVersion = (database: Database, from: string, queue: string, { name, version }: Served): Served | undefined =>
  database.get(
    `SELECT name, version FROM ${from} ? AND name = ? AND version > ? ORDER BY version LIMIT 1`,
    queue,
    name,
    version
  )

/** Whether something could be admitted. */
export const hasAny = (
  database: Database,
  queue: Queue.Queue,
  served: ReadonlyArray<Served>,
  incarnation: string,
  now: number
): boolean =>
  room(database, queue, incarnation, 1, now) > 0 && (
    first(database, queue.name, served, 1).length > 0
    || heads(database, queue, served, incarnation, 1).length > 0
    || Partition.isFreed(database, queue.name, now)
  )

/**
 * When a rate limit lets the next one start; null: none holds anything back. Never a time that is over: a key that may go
 * on, but has no place in its queue, waits for that place, or for the queue's own rate.
 */
export const nextFreeAt = (
  database: Database,
  queue: Queue.Queue,
  served: ReadonlyArray<Served>,
  now: number
): number | null => {
  const { rateLimit } = queue.limits
  if (queue.paused) return null
  const own = rateLimit === null ? null : Rate.freeAt(database, queue.name, null, rateLimit, now)
  const waits = own !== null
    && (pairsIn(database, plain, queue.name, served).length > 0 ||
      pairsIn(database, ready, queue.name, served).length > 0 ||
      Partition.isFreed(database, queue.name, now))
  const ofPartition = Partition.nextFreeAt(database, queue.name, now)
  if (!waits) return ofPartition
  return ofPartition === null ? own : Math.min(own, ofPartition)
}

/** It counts from now on, where a rate limit counts. Some that no period holds any more are forgotten. */
export const note = (database: Database, queue: Queue.Queue, key: string | null, now: number): void => {
  const own = queue.limits.rateLimit
  const ofKey = queue.limits.partitioned?.rateLimit ?? null
  if (own === null && ofKey === null) return
  Rate.forget(database, queue.name, now - Math.max(own?.periodMs ?? 0, ofKey?.periodMs ?? 0))
  if (own !== null) Rate.add(database, queue.name, null, now)
  if (key !== null && ofKey !== null) Rate.add(database, queue.name, key, now)
}
