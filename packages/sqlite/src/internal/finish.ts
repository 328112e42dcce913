/** The one way in which a workflow becomes `done`: however it ends, its short-lived rows go and its waiters wake. */
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import * as Item from "./item.ts"
import * as Waiter from "./waiter.ts"

export interface Finish {
  readonly status: WorkflowStatus
  readonly output: string | null
  readonly reason: string | null
  /** Of the owner that settles; one more when it is ended from outside. Kept to know the owner's write again. */
  readonly epoch: number
  readonly attempts: number
}

export const finish = (database: Database, workflowId: string, end: Finish, now: number): void => {
  database.run(
    `UPDATE perdure_workflow SET status = ?, output = ?, reason = coalesce(?, reason), completed_at = ?,
       epoch = ?, recovery_attempts = ?
     WHERE workflow_id = ?`,
    end.status,
    end.output,
    end.reason,
    now,
    end.epoch,
    end.attempts,
    workflowId
  )
  database.run("DELETE FROM perdure_ownership WHERE workflow_id = ?", workflowId)
  database.run("DELETE FROM perdure_mailbox WHERE workflow_id = ?", workflowId)
  database.run("DELETE FROM perdure_deadline WHERE workflow_id = ?", workflowId)
  database.run("DELETE FROM perdure_waiter WHERE waiter_id = ?", workflowId)
  Item.remove(database, workflowId, now)
  Waiter.wakeAll(database, workflowId, now)
}
