/**
 * What an owned workflow writes: all of it or nothing, under its epoch. BEGIN IMMEDIATE lets nobody write in between,
 * so the fence is read first and then simply holds.
 */
import type { Advance, Answer, End, StartAnswer } from "perdure/Store"
import type { Database } from "./database.ts"
import { finish } from "./finish.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import { Refused } from "./refused.ts"
import { start, taken } from "./start.ts"
import * as Step from "./step.ts"

export const advance = (database: Database, op: Advance, now: number): Answer => {
  const owner = Ownership.find(database, op.workflowId)
  if (owner === undefined || owner.epoch !== op.epoch || owner.executor === null) {
    return wasWritten(database, op, owner) ? recorded(op.children.map((child) => taken(database, child))) : fenced
  }
  if (op.end?._tag === "Suspend") {
    const inbox = Mailbox.inbox(database, op.workflowId)
    if (inbox !== op.end.inbox) return { _tag: "Stirred", inbox }
  }
  for (const record of op.records) {
    Step.insertRecord(database, op.workflowId, op.epoch, record)
  }
  if (owner.attempts > 0 && op.records.length > 0) Ownership.forgive(database, op.workflowId)
  for (const attempt of op.attempts) {
    Step.insertAttempt(database, op.workflowId, attempt)
  }
  const children = op.children.map((child, index) => {
    const answer = start(database, { ...child, parentId: op.workflowId }, now)
    if (answer._tag === "Exists" && !answer.same) {
      throw new Refused({ _tag: "ChildConflict", index, name: answer.name })
    }
    return answer
  })
  if (op.end !== null) leave(database, op, op.end, owner, now)
  return recorded(children)
}

const fenced: Answer = { _tag: "Fenced" }
const recorded = (children: ReadonlyArray<StartAnswer>): Answer => ({ _tag: "Recorded", children })

const leave = (
  database: Database,
  { workflowId }: Advance,
  end: End,
  owner: Ownership.Ownership,
  now: number
): void => {
  switch (end._tag) {
    case "Settle": {
      // Once cancelled, it ends cancelled, whatever its body still had to say.
      const cancelled = owner.phase === "compensate"
      const status = cancelled ? "CANCELLED" : end.status
      const output = cancelled ? null : end.output
      return finish(database, workflowId, { ...owner, status, output, reason: null }, now)
    }
    case "Suspend": {
      // Read after the children are written: one of them may be what is awaited.
      for (const { workflowId: targetId } of end.awaiting) {
        if (Ownership.find(database, targetId) === undefined) {
          throw new Refused({ _tag: "Stirred", inbox: end.inbox })
        }
        Mailbox.waitFor(database, targetId, workflowId)
      }
      Ownership.giveUp(database, workflowId, "suspend")
      return Mailbox.rest(database, workflowId, end.wakeAt, end.waits)
    }
    case "Block": {
      Ownership.giveUp(database, workflowId, "block")
      if (owner.phase === "run") {
        database.run(
          "UPDATE perdure_workflow SET status = 'BLOCKED', reason = ? WHERE workflow_id = ?",
          end.reason,
          workflowId
        )
        return Mailbox.rest(database, workflowId, null, null)
      }
      // The reason of a cancelled one says why it was cancelled; what stops its rollbacks stands where waits stand.
      return Mailbox.rest(database, workflowId, null, end.reason)
    }
    case "Release": {
      Ownership.giveUp(database, workflowId, "release")
      return Mailbox.rest(database, workflowId, now, null)
    }
  }
}

/**
 * Whether the very same write was made before, its answer lost: then the owner gave the workflow up by it, and nobody
 * has changed the epoch since (everybody else who changes something raises it).
 */
const wasWritten = (database: Database, op: Advance, owner: Ownership.Ownership | undefined): boolean =>
  (owner === undefined ? wasSettled(database, op) : owner.epoch === op.epoch && owner.rest === restOf(op.end))
  && op.records.every((record) => Step.hasRecord(database, op.workflowId, record))
  && op.attempts.every((attempt) => Step.hasAttempt(database, op.workflowId, attempt))
  && op.children.every((child) => isStarted(database, child.workflowId))

const wasSettled = (database: Database, op: Advance): boolean =>
  op.end?._tag === "Settle" && database.get(
      "SELECT 1 FROM perdure_workflow WHERE workflow_id = ? AND epoch = ? AND status IN (?, 'CANCELLED')",
      op.workflowId,
      op.epoch,
      op.end.status
    ) !== undefined

const restOf = (end: End | null): Ownership.Rest | undefined => {
  switch (end?._tag) {
    case "Suspend":
      return "suspend"
    case "Block":
      return "block"
    case "Release":
      return "release"
  }
  return undefined
}

const isStarted = (database: Database, workflowId: string): boolean =>
  database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) !== undefined
