/** Queues: what is declared of them, what is in them, and changes of what waits there. */
import * as Effect from "effect/Effect"
import {
  queueCountLimit,
  type QueuedAnswer,
  type QueueLimits,
  type QueueRow,
  type QueueStore,
  type StoreError
} from "perdure/Store"
import type { Database } from "./database.ts"
import { retryLocks } from "./locks.ts"

/** An operator waits for a flush, not for a stranger: then the whole call is tried again. */
const lockMs = 500

/** Each count walks one index of one queue, and not far. Of very many that wait, the oldest is looked for among the first. */
const queuesStatement = (s: string): string => {
  const some = (state: string, columns: string) =>
    `SELECT ${columns} FROM ${s}.queue_item i WHERE i.queue = q.name AND i.state = ${state}`
  return `
  SELECT q.name, q.limits::text, q.overridden, q.paused, w.count, d.count, r.count, w.oldest
  FROM ${s}.queue q
  CROSS JOIN LATERAL (
    SELECT count(*), min(x.at) AS oldest FROM (
      (${some("'waiting'", "i.enqueued_at AS at")} AND i.partition_key IS NULL LIMIT ${queueCountLimit})
      UNION ALL
      (${some("'waiting'", "i.enqueued_at AS at")} AND i.partition_key IS NOT NULL LIMIT ${queueCountLimit})
      LIMIT ${queueCountLimit}
    ) x
  ) w
  CROSS JOIN LATERAL (SELECT count(*) FROM (${some("'delayed'", "1")} LIMIT ${queueCountLimit}) x) d
  CROSS JOIN LATERAL (SELECT count(*) FROM (${some("'running'", "1")} LIMIT ${queueCountLimit}) x) r
  WHERE $1::text[] IS NULL OR q.name = ANY ($1::text[])
  ORDER BY q.name`
}

export const make = (database: Database): QueueStore => {
  const s = database.s
  const queuesSql = queuesStatement(s)
  // A limit of null lets one start now.
  const rateSql = `SELECT r.next_ FROM ${s}.queue q CROSS JOIN LATERAL ${s}.rate_left_1(q.name, '',
    (q.limits -> 'rateLimit' ->> 'limit')::bigint, (q.limits -> 'rateLimit' ->> 'periodMs')::bigint, 1, ${s}.now_ms()
  ) r WHERE q.name = $1::text`
  const changeSql = `SELECT ${s}.change_queue_1($1::integer, $2::text, $3::text, $4::jsonb, $5::boolean)`

  /** True: what waits has to be ordered anew. Null: there is no such queue. */
  const change = (
    name: string,
    mode: "declare" | "set" | "restore" | "keep",
    limits: QueueLimits | null,
    paused: boolean | null
  ): Effect.Effect<boolean | null, StoreError> =>
    Effect.map(
      retryLocks(database.run(changeSql, [
        lockMs,
        name,
        mode,
        limits === null ? null : JSON.stringify(limits),
        paused
      ])),
      (rows) => rows[0]![0] as boolean | null
    )

  // after the commit of the change: starts that come later see it
  const reordered = (name: string, changed: boolean | null): Effect.Effect<boolean | null, StoreError> =>
    changed === true
      ? Effect.as(retryLocks(database.run(`SELECT ${s}.rerank_1($1::text)`, [name])), changed)
      : Effect.succeed(changed)

  const answer = (statement: string, parameters: ReadonlyArray<unknown>): Effect.Effect<QueuedAnswer, StoreError> =>
    Effect.map(
      retryLocks(database.run(statement, [lockMs, ...parameters])),
      (rows) => rows[0]![0] as QueuedAnswer
    )

  return {
    registerQueue: (name, limits) =>
      Effect.asVoid(Effect.flatMap(change(name, "declare", limits, null), (changed) => reordered(name, changed))),

    setQueue: (name, { limits, paused }) =>
      Effect.map(
        Effect.flatMap(
          change(
            name,
            limits === undefined ? "keep" : limits === null ? "restore" : "set",
            limits ?? null,
            paused ?? null
          ),
          (changed) => reordered(name, changed)
        ),
        (changed) => changed !== null
      ),

    queues: (names) =>
      Effect.map(
        database.query(queuesSql, [names]),
        (rows) =>
          rows.map(([name, limits, overridden, paused, waiting, delayed, running, oldest]): QueueRow => ({
            name: name as string,
            // stored as it was given
            limits: JSON.parse(limits as string) as QueueLimits,
            overridden: overridden === true,
            paused: paused === true,
            waiting: Number(waiting),
            delayed: Number(delayed),
            running: Number(running),
            oldestAt: oldest === null ? null : Number(oldest)
          }))
      ),

    rateFreeAt: (name) =>
      Effect.map(
        database.query(rateSql, [name]),
        ([row]) => row === undefined || row[0] === null ? null : Number(row[0])
      ),

    deleteQueue: (name) =>
      Effect.map(
        retryLocks(database.run(`SELECT ${s}.delete_queue_1($1::integer, $2::text)`, [lockMs, name])),
        (rows) => rows[0]![0] as "deleted" | "occupied" | "unknown"
      ),

    setPriority: (workflowId, priority) =>
      answer(`SELECT ${s}.set_priority_1($1::integer, $2::text, $3::integer)`, [workflowId, String(priority)]),

    setDelay: (workflowId, delayMs) =>
      answer(`SELECT ${s}.set_delay_1($1::integer, $2::text, $3::bigint)`, [workflowId, String(Math.round(delayMs))])
  }
}
