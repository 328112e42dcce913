/**
 * What suspended workflows wait for at others: an end, a value, an entry. The end of the other wakes everybody, since
 * nothing will come after it.
 */
import type { Await } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import * as Entry from "./entry.ts"
import * as Event from "./event.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"

/** Whether it has happened already, or never will: then nobody would be woken for it. */
export const isOver = (database: Database, awaited: Await): boolean => {
  if (Ownership.find(database, awaited.workflowId) === undefined) return true
  switch (awaited.on) {
    case "end":
      return false
    case "event":
      return Event.valueOf(database, awaited.workflowId, awaited.key) !== undefined
    case "stream":
      return Entry.nextOffset(database, awaited.workflowId, awaited.key) > awaited.from
  }
}

export const enter = (database: Database, awaited: Await, waiterId: string): void => {
  database.run(
    `INSERT INTO perdure_waiter (target_id, topic, key, waiter_id, from_offset) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET from_offset = min(from_offset, excluded.from_offset)`,
    awaited.workflowId,
    awaited.on,
    awaited.on === "end" ? "" : awaited.key,
    waiterId,
    awaited.on === "stream" ? awaited.from : 0
  )
}

/** The target is done: everybody who waits for something of it gets to know, once. */
export const wakeAll = (database: Database, targetId: string, now: number): void =>
  wake(
    database,
    database.all("DELETE FROM perdure_waiter WHERE target_id = ? RETURNING waiter_id", targetId),
    now
  )

/** The event has a value. */
export const wakeForEvent = (database: Database, targetId: string, key: string, now: number): void =>
  wake(
    database,
    database.all(
      "DELETE FROM perdure_waiter WHERE target_id = ? AND topic = 'event' AND key = ? RETURNING waiter_id",
      targetId,
      key
    ),
    now
  )

/** The stream has come to this offset. */
export const wakeForEntry = (database: Database, targetId: string, key: string, offset: number, now: number): void =>
  wake(
    database,
    database.all(
      `DELETE FROM perdure_waiter WHERE target_id = ? AND topic = 'stream' AND key = ? AND from_offset <= ?
       RETURNING waiter_id`,
      targetId,
      key,
      offset
    ),
    now
  )

const wake = (database: Database, waiters: ReadonlyArray<{ readonly waiter_id: string }>, now: number): void => {
  for (const waiterId of new Set(waiters.map((_) => _.waiter_id))) {
    Mailbox.deliver(database, waiterId, now)
  }
}

interface AwaitedColumns {
  readonly target_id: string
  readonly topic: "end" | "event" | "stream"
  readonly key: string
  readonly status: WorkflowStatus | null
}

/** What a suspended workflow is entered for. */
export const awaitedBy = (database: Database, waiterId: string) =>
  database.all<AwaitedColumns>(
    `SELECT a.target_id, a.topic, a.key, w.status
     FROM perdure_waiter a LEFT JOIN perdure_workflow w ON w.workflow_id = a.target_id
     WHERE a.waiter_id = ? ORDER BY a.target_id, a.topic, a.key`,
    waiterId
  ).map((row) => ({ workflowId: row.target_id, on: row.topic, key: row.key, status: row.status }))
