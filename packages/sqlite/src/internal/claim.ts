/** Taking due workflows: the epoch rises first, the history is read after it. */
import type { Claimed, Served } from "perdure/Store"
import * as Clock from "./clock.ts"
import type { Database } from "./database.ts"
import { isAlive } from "./executor.ts"
import { page } from "./history.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import { get } from "./workflow.ts"

export interface ClaimOptions {
  readonly incarnation: string
  readonly served: ReadonlyArray<Served>
  readonly limit: number
}

/** Whether a claim would find something. Read without the write lock, since most polls find nothing. */
export const look = (database: Database, options: ClaimOptions) => {
  const now = Clock.now(database)
  const nextDueAt = isAlive(database, options.incarnation, now) ? nextDue(database, options.served) : null
  return { now, nextDueAt, isDue: nextDueAt !== null && nextDueAt <= now }
}

export const claim = (database: Database, options: ClaimOptions) => {
  const now = Clock.now(database)
  if (!isAlive(database, options.incarnation, now)) return { now, claimed: [], nextDueAt: null, contended: false }
  const claimed = dueNow(database, options, now).map((workflowId) =>
    take(database, workflowId, options.incarnation, now)
  )
  return { now, claimed, nextDueAt: nextDue(database, options.served), contended: false }
}

const take = (database: Database, workflowId: string, incarnation: string, now: number): Claimed => {
  Ownership.take(database, workflowId, incarnation)
  Mailbox.awake(database, workflowId)
  database.run(
    `UPDATE perdure_workflow SET
       status = iif(status IN ('ENQUEUED', 'DELAYED'), 'PENDING', status),
       started_at = coalesce(started_at, ?),
       executor_id = (SELECT executor_id FROM perdure_executor WHERE incarnation = ?)
     WHERE workflow_id = ?`,
    now,
    incarnation,
    workflowId
  )
  return {
    row: get(database, workflowId)!,
    inbox: Mailbox.inbox(database, workflowId),
    ...page(database, workflowId, -1)
  }
}

interface Due {
  readonly workflow_id: string
  readonly wake_at: number
}

/** One probe of the index per served pair: rows that nobody here can run cost nothing, however many there are. */
const dueNow = (database: Database, { limit, served }: ClaimOptions, now: number): ReadonlyArray<string> =>
  distinct(served).flatMap(({ name, version }) =>
    database.all<Due>(
      `SELECT workflow_id, wake_at FROM perdure_mailbox
       WHERE queue = '' AND name = ? AND version = ? AND wake_at <= ? ORDER BY wake_at, workflow_id LIMIT ?`,
      name,
      version,
      now,
      limit
    )
  ).sort((a, b) => a.wake_at - b.wake_at || (a.workflow_id < b.workflow_id ? -1 : 1))
    .slice(0, limit)
    .map((_) => _.workflow_id)

/** Of what is left; not later than now when a claim was full. */
const nextDue = (database: Database, served: ReadonlyArray<Served>): number | null => {
  let next: number | null = null
  for (const { name, version } of served) {
    const at = database.get<{ at: number | null }>(
      "SELECT min(wake_at) AS at FROM perdure_mailbox WHERE queue = '' AND name = ? AND version = ? AND wake_at IS NOT NULL",
      name,
      version
    )!.at
    if (at !== null && (next === null || at < next)) next = at
  }
  return next
}

/** A pair given twice must not be claimed twice. */
const distinct = (served: ReadonlyArray<Served>): ReadonlyArray<Served> => [
  ...new Map(served.map((pair) => [JSON.stringify([pair.name, pair.version]), pair])).values()
]
