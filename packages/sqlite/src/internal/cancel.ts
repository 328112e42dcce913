/** Ending a workflow from outside. It is over at once for its owner, whose epoch is gone; rollbacks come after. */
import type { CancelAnswer } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import * as Deadline from "./deadline.ts"
import * as Executor from "./executor.ts"
import { finish } from "./finish.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import * as Step from "./step.ts"

export const statusOf = (database: Database, workflowId: string): WorkflowStatus | undefined =>
  database.get<{ status: WorkflowStatus }>("SELECT status FROM perdure_workflow WHERE workflow_id = ?", workflowId)
    ?.status

export const cancelOne = (database: Database, workflowId: string, reason: string, now: number): CancelAnswer => {
  const owner = Ownership.find(database, workflowId)
  if (owner === undefined || owner.phase !== "run") {
    const status = statusOf(database, workflowId)
    return status === undefined ? { workflowId, result: "unknown" } : { workflowId, result: "done", status }
  }
  Ownership.revoke(database, owner)
  if (!Step.hasRollback(database, workflowId)) {
    const epoch = owner.epoch + 1
    finish(database, workflowId, { ...owner, status: "CANCELLED", output: null, reason, epoch }, now)
    return { workflowId, result: "cancelled", phase: "done" }
  }
  database.run(
    "UPDATE perdure_workflow SET status = 'CANCELLED', reason = ? WHERE workflow_id = ?",
    reason,
    workflowId
  )
  // Its rollbacks run outside of its queue, which is free of it from now on.
  Item.remove(database, workflowId, now)
  Ownership.release(database, workflowId, { ...owner, phase: "compensate", queue: "" })
  Mailbox.awake(database, workflowId)
  // Its steps may still run: a living owner ends them first, and says so by a heartbeat; else when its lease ends.
  Mailbox.rest(database, workflowId, Math.max(now, Executor.leaseEnd(database, owner.executor) ?? now), null)
  Deadline.remove(database, workflowId)
  return { workflowId, result: "cancelled", phase: "compensate" }
}

/** Every child that is not detached, and theirs, parents first. Done ones too: theirs may be running. */
export const descendants = (database: Database, workflowId: string): ReadonlyArray<string> =>
  database.all<{ workflow_id: string }>(
    `WITH RECURSIVE descendant (workflow_id) AS (
       SELECT workflow_id FROM perdure_workflow WHERE parent_id = ? AND detached = 0
       UNION
       SELECT w.workflow_id FROM descendant d
       JOIN perdure_workflow w ON w.parent_id = d.workflow_id AND w.detached = 0
     ) SELECT workflow_id FROM descendant`,
    workflowId
  ).map((_) => _.workflow_id)

/** The answers for the ids given, in order, then one for each descendant that this ended. */
export const cancel = (
  database: Database,
  workflowIds: ReadonlyArray<string>,
  options: { readonly reason: string; readonly childReason: string; readonly children: boolean },
  now: number
): ReadonlyArray<CancelAnswer> => {
  const answers = workflowIds.map((workflowId) => cancelOne(database, workflowId, options.reason, now))
  if (!options.children) return answers
  const ended = workflowIds.flatMap((workflowId) => descendants(database, workflowId))
    .map((workflowId) => cancelOne(database, workflowId, options.childReason, now))
    .filter((answer) => answer.result === "cancelled")
  return [...answers, ...ended]
}
