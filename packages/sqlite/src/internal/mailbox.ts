/**
 * When a workflow that nobody owns is due, and how much has come in for it. The inbox only rises; a workflow suspends
 * only on the count it has seen, so that nothing comes in unnoticed between its last look and its sleep.
 */
import type { Database } from "./database.ts"

/** No row counts as 0: a workflow that never slept and never got anything has none. */
export const inbox = (database: Database, workflowId: string): number =>
  database.get<{ inbox: number }>("SELECT inbox FROM perdure_mailbox WHERE workflow_id = ?", workflowId)?.inbox ?? 0

/** Due at `wakeAt` (null: never by itself). Name and version are the ownership row's, which must be there. */
export const rest = (database: Database, workflowId: string, wakeAt: number | null, waits: string | null): void => {
  database.run(
    `INSERT INTO perdure_mailbox (workflow_id, name, version, wake_at, waits)
     SELECT workflow_id, name, version, ?, ? FROM perdure_ownership WHERE workflow_id = ?
     ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = excluded.waits`,
    wakeAt,
    waits,
    workflowId
  )
}

/** Cancelled, and the owner of this epoch gets to know now: its rollbacks may begin, unless somebody has had it since. */
export const undo = (database: Database, workflowId: string, epoch: number, now: number): void => {
  database.run(
    `UPDATE perdure_mailbox SET wake_at = ? WHERE workflow_id = ? AND wake_at > ? AND EXISTS (
       SELECT 1 FROM perdure_ownership o
       WHERE o.workflow_id = perdure_mailbox.workflow_id AND o.phase = 'compensate' AND o.executor IS NULL
         AND o.epoch = ?
     )`,
    now,
    workflowId,
    now,
    epoch + 1
  )
}

/** Everything that an incarnation owns, due now: in one statement, since it may be a hundred thousand. */
export const restAllOf = (database: Database, incarnation: string, now: number): void => {
  database.run(
    `INSERT INTO perdure_mailbox (workflow_id, name, version, wake_at)
     SELECT workflow_id, name, version, ? FROM perdure_ownership WHERE executor = ?
     ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = NULL`,
    now,
    incarnation
  )
}

/** Owned: not due, and waiting for nothing that the store knows of. */
export const awake = (database: Database, workflowId: string): void => {
  database.run("UPDATE perdure_mailbox SET wake_at = NULL, waits = NULL WHERE workflow_id = ?", workflowId)
  database.run("DELETE FROM perdure_waiter WHERE waiter_id = ?", workflowId)
}

/** Something came in: counted always, and a reason to wake if it sleeps. A blocked one stays where it is. */
const deliver = (database: Database, workflowId: string, now: number): void => {
  database.run(
    `INSERT INTO perdure_mailbox (workflow_id, name, version, inbox, wake_at)
     SELECT workflow_id, name, version, 1, iif(rest = 'suspend', CAST(? AS INTEGER), NULL)
     FROM perdure_ownership WHERE workflow_id = ?
     ON CONFLICT (workflow_id) DO UPDATE SET
       inbox = inbox + 1,
       wake_at = iif(excluded.wake_at IS NULL, wake_at, min(coalesce(wake_at, excluded.wake_at), excluded.wake_at))`,
    now,
    workflowId
  )
}

export const waitFor = (database: Database, targetId: string, waiterId: string): void => {
  database.run(
    "INSERT INTO perdure_waiter (target_id, waiter_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
    targetId,
    waiterId
  )
}

/** The target is done: everybody who waits for it gets to know, once. */
export const wakeWaiters = (database: Database, targetId: string, now: number): void => {
  const waiters = database.all<{ waiter_id: string }>(
    "DELETE FROM perdure_waiter WHERE target_id = ? RETURNING waiter_id",
    targetId
  )
  for (const { waiter_id } of waiters) {
    deliver(database, waiter_id, now)
  }
}
