/** Giving a workflow that nobody owns back, to be claimed by anybody: at once, or in its old place in its queue. */
import type { Database } from "./database.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"

/** `queue` is the ownership row's. */
export const makeDue = (database: Database, workflowId: string, queue: string, now: number): void => {
  if (queue === "") return Mailbox.rest(database, workflowId, now, null)
  Mailbox.rest(database, workflowId, null, null)
  Item.putBack(database, workflowId, now)
  database.run("UPDATE perdure_workflow SET status = 'ENQUEUED' WHERE workflow_id = ?", workflowId)
}
