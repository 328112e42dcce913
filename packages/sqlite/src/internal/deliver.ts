/** Messages from outside, and those that a workflow sends: all of a write or none. */
import type { Answer, Deliver, Send } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Message from "./message.ts"
import { Refused } from "./refused.ts"

export const deliver = (database: Database, op: Deliver, now: number): Answer => {
  deliverAll(database, op.sends, now)
  return { _tag: "Delivered" }
}

/** Ends the operation when one of them is refused. */
export const deliverAll = (database: Database, sends: ReadonlyArray<Send>, now: number): void =>
  sends.forEach((message, index) => {
    const answer = Message.send(database, message, now)
    if (answer !== "delivered" && answer !== "there") {
      throw new Refused({ _tag: "SendRefused", index, why: answer })
    }
  })
