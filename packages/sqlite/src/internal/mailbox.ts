/**
 * When a workflow that nobody owns is due, and how much has come in for it. The inbox only rises; a workflow suspends
 * only on the count it has seen, so that nothing comes in unnoticed between its last look and its sleep.
 */
import type { Revoked } from "perdure/Store"
import type { Database } from "./database.ts"

/** No row counts as 0: a workflow that never slept and never got anything has none. */
export const inbox = (database: Database, workflowId: string): number =>
  database.get<{ inbox: number }>("SELECT inbox FROM perdure_mailbox WHERE workflow_id = ?", workflowId)?.inbox ?? 0

/**
 * Due at `wakeAt` (null: never by itself). Name, version and queue are the ownership row's, which must be there. A new
 * inbox begins where the messages end: one that was done and is resumed has some.
 */
export const rest = (database: Database, workflowId: string, wakeAt: number | null, waits: string | null): void => {
  database.run(
    `INSERT INTO perdure_mailbox (workflow_id, name, version, queue, inbox, wake_at, waits)
     SELECT workflow_id, name, version, queue, ${lastSeq}, ?, ? FROM perdure_ownership o WHERE workflow_id = ?
     ON CONFLICT (workflow_id) DO UPDATE SET
       wake_at = excluded.wake_at, waits = excluded.waits, queue = excluded.queue`,
    wakeAt,
    waits,
    workflowId
  )
}

const lastSeq = "(SELECT coalesce(max(seq), 0) FROM perdure_message m WHERE m.workflow_id = o.workflow_id)"

/** What ran of it has ended: if it is cancelled its rollbacks may begin, unless somebody has had it since. */
export const undo = (database: Database, { epoch, workflowId }: Revoked, now: number): void => {
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

/** Everything outside of queues that an incarnation owns, due now: in one statement, it may be a hundred thousand. */
export const restAllOf = (database: Database, incarnation: string, now: number): void => {
  database.run(
    `INSERT INTO perdure_mailbox (workflow_id, name, version, wake_at)
     SELECT workflow_id, name, version, ? FROM perdure_ownership WHERE executor = ? AND queue = ''
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
export const deliver = (database: Database, workflowId: string, now: number): void => {
  database.run(
    `INSERT INTO perdure_mailbox (workflow_id, name, version, queue, inbox, wake_at)
     SELECT workflow_id, name, version, queue, 1, iif(rest = 'suspend', CAST(? AS INTEGER), NULL)
     FROM perdure_ownership WHERE workflow_id = ?
     ON CONFLICT (workflow_id) DO UPDATE SET
       inbox = inbox + 1,
       wake_at = iif(excluded.wake_at IS NULL, wake_at, min(coalesce(wake_at, excluded.wake_at), excluded.wake_at))`,
    now,
    workflowId
  )
}

/** How much has come in for those of them that are not done. */
export const inboxes = (database: Database, workflowIds: ReadonlyArray<string>): ReadonlyMap<string, number> =>
  new Map(
    database.all<{ workflow_id: string; inbox: number }>(
      `SELECT o.workflow_id, coalesce(m.inbox, 0) AS inbox
       FROM json_each(?) j
       JOIN perdure_ownership o ON o.workflow_id = j.value
       LEFT JOIN perdure_mailbox m ON m.workflow_id = o.workflow_id`,
      JSON.stringify(workflowIds)
    ).map(({ inbox, workflow_id }) => [workflow_id, inbox])
  )
