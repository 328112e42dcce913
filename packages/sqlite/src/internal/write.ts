/** A batch of operations in one transaction, of which a bad one fails alone. */
import * as Effect from "effect/Effect"
import type { Answer, Operation } from "perdure/Store"
import { advance } from "./advance.ts"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import type { Database } from "./database.ts"
import { deliver } from "./deliver.ts"
import { detailOf, isRejection } from "./errors.ts"
import { Refused } from "./refused.ts"
import { start, startMany } from "./start.ts"

/**
 * Most batches hold nothing bad, so the first try does without savepoints; when an operation has to be undone the whole
 * batch is, and runs again with one around each.
 */
export const write = (connections: Connections, batch: ReadonlyArray<Operation>) =>
  Effect.suspend(() => {
    let answerAlone = false
    return connections.write("write to the journal", (database) => {
      const now = Clock.now(database)
      if (!answerAlone) {
        try {
          return batch.map((op) => perform(database, op, now))
        } catch (error) {
          if (!isUndoable(error)) throw error
          answerAlone = true
          database.native.exec("ROLLBACK")
          database.native.exec("BEGIN IMMEDIATE")
        }
      }
      return batch.map((op) => performAlone(database, op, now))
    })
  })

const perform = (database: Database, op: Operation, now: number): Answer => {
  switch (op._tag) {
    case "Start":
      return start(database, op, now)
    case "StartMany":
      return startMany(database, op, now)
    case "Advance":
      return advance(database, op, now)
    case "Deliver":
      return deliver(database, op, now)
  }
}

const performAlone = (database: Database, op: Operation, now: number): Answer => {
  database.native.exec("SAVEPOINT perdure_operation")
  const answer = performOrUndo(database, op, now)
  database.native.exec("RELEASE perdure_operation")
  return answer
}

const performOrUndo = (database: Database, op: Operation, now: number): Answer => {
  try {
    return perform(database, op, now)
  } catch (error) {
    if (!isUndoable(error)) throw error
    database.native.exec("ROLLBACK TO perdure_operation")
    return error instanceof Refused ? error.answer : { _tag: "Rejected", detail: detailOf(error) }
  }
}

const isUndoable = (error: unknown): boolean => error instanceof Refused || isRejection(error)
