/** The next life of a workflow. See `Renew` in the contract. */
import type { Renew } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Event from "./event.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"
import * as Message from "./message.ts"
import * as Ownership from "./ownership.ts"
import * as Step from "./step.ts"

export const renew = (database: Database, life: Renew, now: number): "renewed" | "fenced" => {
  const { codec, epoch, firstStepId, payload, workflowId } = life
  const owner = Ownership.find(database, workflowId)
  if (owner === undefined || owner.epoch !== epoch || owner.executor === null) return "fenced"
  Ownership.giveUp(database, workflowId, "release")
  Ownership.forgive(database, workflowId)
  if (owner.queue !== "") Item.leaveMemory(database, workflowId)
  Mailbox.rest(database, workflowId, now, null)
  database.run(
    `UPDATE perdure_workflow SET life_payload = ?, codec = ?, started_at = ?, first_step_id = ?,
       continuations = continuations + 1
     WHERE workflow_id = ?`,
    payload,
    codec,
    now,
    firstStepId,
    workflowId
  )
  const records = Step.forget(database, workflowId)
  Event.forget(database, workflowId)
  Message.forget(database, workflowId, records, now)
  return "renewed"
}
