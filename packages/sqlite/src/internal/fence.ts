/** Nobody owns anything any more: for a file that knows less than those who write to it. */
import type { Fenced } from "perdure/Store"
import type { Database } from "./database.ts"

/**
 * First epochs are the time, a hundred to the millisecond, and so are these: what was handed out before, also after the
 * copy was made, is less. Owners stay, for a sweep to give their workflows back as it does with those of the dead. What is
 * done in the copy and can be resumed may have been resumed after it was made, so the epoch that a resume goes on from is
 * raised as well.
 */
export const fence = (database: Database, now: number): Fenced => {
  // The index is of all three.
  database.run(
    `UPDATE perdure_workflow SET epoch = ${raised}
     WHERE status IN ('ERROR', 'CANCELLED', 'DEAD_LETTER') AND status <> 'ERROR'
       AND workflow_id NOT IN (SELECT workflow_id FROM perdure_ownership)`,
    now
  )
  return {
    executors: database.run(
      "UPDATE perdure_executor SET dead = 1, lease_until = min(lease_until, ?) WHERE dead = 0",
      now
    ),
    workflows: database.run(`UPDATE perdure_ownership SET epoch = ${raised}`, now)
  }
}

const raised = "max(epoch + 1000000, ? * 100)"
