/** Process starts and their leases. A lapsed lease never comes back to life: its workflows may be gone already. */
import type { ExecutorInfo, ExecutorRow, Heartbeat, Revoked, Served } from "perdure/Store"
import * as Clock from "./clock.ts"
import type { Database } from "./database.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import { makeDue } from "./release.ts"
import * as Version from "./version.ts"

export const join = (database: Database, executor: ExecutorInfo, leaseMs: number): number => {
  const now = Clock.now(database)
  // The same join sent again only renews; a lease that has lapsed stays lapsed.
  database.run(
    `INSERT INTO perdure_executor (incarnation, executor_id, version, lease_until) VALUES (?, ?, ?, ?)
     ON CONFLICT (incarnation) DO UPDATE SET lease_until = excluded.lease_until
     WHERE dead = 0 AND lease_until > ?`,
    executor.incarnation,
    executor.executorId,
    executor.version,
    now + leaseMs,
    now
  )
  Version.join(database, executor.version, now)
  return now
}

/** What it runs, for people to see. */
export const serve = (
  database: Database,
  incarnation: string,
  served: ReadonlyArray<Served>,
  queues: ReadonlyArray<string> | null
): void => {
  database.run(
    "UPDATE perdure_executor SET served = ?, queues = ? WHERE incarnation = ?",
    JSON.stringify(served),
    queues === null ? null : JSON.stringify(queues),
    incarnation
  )
}

/** Until when a living incarnation may run what it owns. */
export const leaseEnd = (database: Database, incarnation: string | null): number | undefined =>
  incarnation === null ? undefined : database.get<{ lease_until: number }>(
    "SELECT lease_until FROM perdure_executor WHERE incarnation = ? AND dead = 0",
    incarnation
  )?.lease_until

export const heartbeat = (
  database: Database,
  incarnation: string,
  leaseMs: number,
  ended: ReadonlyArray<Revoked>
): Heartbeat => {
  const now = Clock.now(database)
  const renewed = database.run(
    "UPDATE perdure_executor SET lease_until = ? WHERE incarnation = ? AND dead = 0 AND lease_until > ?",
    now + leaseMs,
    incarnation,
    now
  )
  haveEnded(database, incarnation, ended, now)
  return {
    now,
    latestVersion: Version.latest(database),
    alive: renewed === 1,
    revoked: Ownership.revokedOf(database, incarnation)
  }
}

/** What was taken from an incarnation has ended there: cancelled ones may be rolled back. */
const haveEnded = (database: Database, incarnation: string, ended: ReadonlyArray<Revoked>, now: number): void => {
  for (const revoked of ended) {
    if (Ownership.forget(database, incarnation, revoked)) Mailbox.undo(database, revoked, now)
  }
}

/** Their processes have ended. The sweep finds what they owned. */
export const lapse = (database: Database, incarnations: ReadonlyArray<string>): ReadonlyArray<string> => {
  const now = Clock.now(database)
  const among = "SELECT value FROM json_each(?)"
  const asked = JSON.stringify(incarnations)
  database.run(
    `UPDATE perdure_executor SET dead = 1, lease_until = min(lease_until, ?) WHERE dead = 0 AND incarnation IN (${among})`,
    now,
    asked
  )
  return database.all<{ readonly incarnation: string }>(
    `SELECT incarnation FROM perdure_executor WHERE incarnation IN (${among})`,
    asked
  ).map(({ incarnation }) => incarnation)
}

/** The row stays until the sweep removes it, dead: a late heartbeat must not find a lease to renew. */
export const leave = (database: Database, incarnation: string): void => {
  const now = Clock.now(database)
  database.run(
    "UPDATE perdure_executor SET dead = 1, lease_until = min(lease_until, ?) WHERE incarnation = ?",
    now,
    incarnation
  )
  Mailbox.restAllOf(database, incarnation, now)
  for (const { queue, workflow_id } of Ownership.queuedOf(database, incarnation)) {
    makeDue(database, workflow_id, queue, now)
  }
  Ownership.giveUpAllOf(database, incarnation)
  haveEnded(database, incarnation, Ownership.revokedOf(database, incarnation), now)
}

interface ExecutorColumns {
  readonly incarnation: string
  readonly executor_id: string
  readonly version: string
  readonly lease_until: number
  readonly alive: 0 | 1
  readonly owned: number
  readonly served: string
  readonly queues: string | null
}

/** For people: those that are alive, and those that lapsed of late or still own something. */
export const list = (database: Database, now: number): ReadonlyArray<ExecutorRow> =>
  database.all<ExecutorColumns>(
    `SELECT e.incarnation, e.executor_id, e.version, e.lease_until, e.dead = 0 AND e.lease_until > ? AS alive,
       (SELECT count(*) FROM perdure_ownership o WHERE o.executor = e.incarnation) AS owned, e.served, e.queues
     FROM perdure_executor e ORDER BY e.incarnation`,
    now
  ).filter((row) => row.alive === 1 || row.owned > 0 || row.lease_until >= now - memoryMs).map((row) => ({
    incarnation: row.incarnation,
    executorId: row.executor_id,
    version: row.version,
    state: row.alive === 1 ? "alive" : "lapsed",
    leaseUntil: row.lease_until,
    owned: row.owned,
    served: JSON.parse(row.served),
    queues: row.queues === null ? null : JSON.parse(row.queues)
  }))

export const isAlive = (database: Database, incarnation: string, now: number): boolean =>
  database.get(
    "SELECT 1 FROM perdure_executor WHERE incarnation = ? AND dead = 0 AND lease_until > ?",
    incarnation,
    now
  ) !== undefined

export const versionOf = (database: Database, incarnation: string): string =>
  database.get<{ version: string }>("SELECT version FROM perdure_executor WHERE incarnation = ?", incarnation)!.version

/** Those whose lease has passed are dead from now on, for everybody. */
export const buryLapsed = (database: Database, now: number): void => {
  database.run("UPDATE perdure_executor SET dead = 1 WHERE dead = 0 AND lease_until <= ?", now)
}

const memoryMs = 3_600_000

/** Whether {@link buryLapsed} or {@link forgetDead} has something to do. */
export const hasLapsed = (database: Database, now: number): boolean =>
  database.get(
    "SELECT 1 FROM perdure_executor WHERE (dead = 0 AND lease_until <= ?) OR (dead = 1 AND lease_until < ?) LIMIT 1",
    now,
    now - memoryMs
  ) !== undefined

/** Dead for an hour and without workflows: nobody asks for them any more. */
export const forgetDead = (database: Database, now: number): void => {
  const forgotten = database.all<{ incarnation: string }>(
    `DELETE FROM perdure_executor WHERE dead = 1 AND lease_until < ? AND NOT EXISTS
       (SELECT 1 FROM perdure_ownership o WHERE o.executor = perdure_executor.incarnation)
     RETURNING incarnation`,
    now - memoryMs
  )
  for (const { incarnation } of forgotten) {
    database.run("DELETE FROM perdure_revoked WHERE incarnation = ?", incarnation)
  }
}

/**
 * The incarnations that own something and are dead or unknown. One probe per distinct owner, not a scan of what they
 * own: a live executor may own a hundred thousand.
 */
export const deadOwners = (database: Database): ReadonlyArray<string> =>
  database.all<{ incarnation: string }>(
    `WITH RECURSIVE owner (incarnation) AS (
       SELECT min(executor) FROM perdure_ownership WHERE executor IS NOT NULL
       UNION ALL
       SELECT (SELECT min(executor) FROM perdure_ownership WHERE executor > owner.incarnation)
       FROM owner WHERE owner.incarnation IS NOT NULL
     )
     SELECT incarnation FROM owner
     WHERE incarnation IS NOT NULL AND NOT EXISTS
       (SELECT 1 FROM perdure_executor e WHERE e.incarnation = owner.incarnation AND e.dead = 0)`
  ).map((_) => _.incarnation)
