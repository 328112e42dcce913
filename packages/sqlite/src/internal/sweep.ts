/** One round of recovery, in batches: what dead executors held, and what is out of time. */
import type { Reason, Swept } from "perdure/Store"
import { cancel } from "./cancel.ts"
import * as Clock from "./clock.ts"
import type { Database } from "./database.ts"
import * as Deadline from "./deadline.ts"
import * as Delay from "./delay.ts"
import * as Duplicate from "./duplicate.ts"
import * as Executor from "./executor.ts"
import { finish } from "./finish.ts"
import * as Ownership from "./ownership.ts"
import { makeDue } from "./release.ts"

/** Whether a sweep would change anything. Read without the write lock, since nearly none does. */
export const look = (database: Database): boolean => {
  const now = Clock.now(database)
  return Executor.hasLapsed(database, now)
    || Executor.deadOwners(database).length > 0
    || Deadline.passed(database, now, 1).length > 0
    || Delay.isDue(database, now)
    || Duplicate.isForgettable(database, now)
}

export const nothing: Swept = { released: 0, deadLettered: [], expired: [], more: false }

export const sweep = (database: Database, limit: number): Swept => {
  const now = Clock.now(database)
  Executor.buryLapsed(database, now)
  // The deadline first: a workflow that is out of time is not given to anybody.
  const overdue = Deadline.passed(database, now, limit)
  const expired = overdue.flatMap((workflowId) => expire(database, workflowId, now))
  const lost = Executor.deadOwners(database).reduce<ReadonlyArray<Lost>>(
    (found, incarnation) =>
      found.length >= limit ? found : [...found, ...ownedBy(database, incarnation, limit - found.length)],
    []
  )
  const deadLettered: Array<string> = []
  for (const row of lost) {
    if (recover(database, row, now) === "dead letter") deadLettered.push(row.workflow_id)
  }
  Executor.forgetDead(database, now)
  Delay.promote(database, now)
  Duplicate.forget(database, now)
  return {
    released: lost.length - deadLettered.length,
    deadLettered,
    expired,
    more: lost.length >= limit || overdue.length >= limit
  }
}

type Lost = Ownership.Ownership & { readonly max_recovery_attempts: number }

const ownedBy = (database: Database, incarnation: string, limit: number): ReadonlyArray<Lost> =>
  database.all(
    `SELECT o.workflow_id, o.epoch, o.phase, o.executor, o.rest, o.attempts, o.undoing, o.queue,
       w.max_recovery_attempts
     FROM perdure_ownership o JOIN perdure_workflow w USING (workflow_id)
     WHERE o.executor = ? ORDER BY o.workflow_id LIMIT ?`,
    incarnation,
    limit
  )

/**
 * A new record starts a new count, so only a workflow that loses its executor at the same place again and again is given
 * up. Rollbacks are never given up.
 */
const recover = (database: Database, row: Lost, now: number): "released" | "dead letter" => {
  const { epoch, phase, queue, undoing, workflow_id } = row
  const attempts = row.attempts + 1
  Ownership.revoke(database, row)
  if (phase === "run" && attempts > row.max_recovery_attempts) {
    const detail = `its executor was lost ${attempts} times in a row at the same place`
    const reason = json({ _tag: "DeadLettered", attempts, detail })
    finish(database, workflow_id, { status: "DEAD_LETTER", output: null, reason, epoch: epoch + 1, attempts }, now)
    return "dead letter"
  }
  Ownership.release(database, workflow_id, { phase, attempts, undoing, queue })
  makeDue(database, workflow_id, queue, now)
  return "released"
}

const expire = (database: Database, workflowId: string, now: number): ReadonlyArray<string> =>
  cancel(database, [workflowId], {
    reason: json({ _tag: "Cancelled", by: "timeout", detail: "its deadline has passed" }),
    childReason: json({
      _tag: "Cancelled",
      by: "parent",
      detail: `the deadline of its parent ${workflowId} has passed`
    }),
    children: true
  }, now).flatMap((answer) => answer.result === "cancelled" ? [answer.workflowId] : [])

const json = (reason: Reason): string => JSON.stringify(reason)
