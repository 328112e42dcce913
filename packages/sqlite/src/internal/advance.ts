/**
 * What an owned workflow writes: all of it or nothing, under its epoch. BEGIN IMMEDIATE lets nobody write in between,
 * so the fence is read first and then simply holds.
 */
import type { Advance, Answer, End, StartAnswer } from "perdure/Store"
import type { Database } from "./database.ts"
import { deliverAll } from "./deliver.ts"
import * as Entry from "./entry.ts"
import * as Event from "./event.ts"
import { finish } from "./finish.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"
import * as Message from "./message.ts"
import * as Ownership from "./ownership.ts"
import { Refused } from "./refused.ts"
import { makeDue } from "./release.ts"
import { isStarted, startChildren, taken } from "./start.ts"
import * as Step from "./step.ts"
import * as Waiter from "./waiter.ts"

export const advance = (database: Database, op: Advance, now: number): Answer => {
  const owner = Ownership.find(database, op.workflowId)
  if (owner === undefined || owner.epoch !== op.epoch || owner.executor === null) {
    return wasWritten(database, op, owner) ? recorded(op.children.map((child) => taken(database, child))) : fenced
  }
  // Sent again while it is still owned: the destination of a message may have ended since.
  if (op.end === null && op.records.length > 0 && Step.isRecorded(database, op.workflowId, op.records[0]!.stepId)) {
    if (hasAll(database, op)) return recorded(op.children.map((child) => taken(database, child)))
  }
  // Before its own messages to itself come in: the owner cannot have seen those.
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
  tell(database, op, now)
  const children = startChildren(database, op, now)
  if (op.end !== null) leave(database, op, op.end, owner, now)
  return recorded(children)
}

/** Everything that others can see of it, and who waits for that. */
const tell = (database: Database, op: Advance, now: number): void => {
  for (const consumed of op.consumes) {
    Message.consume(database, op.workflowId, consumed)
  }
  deliverAll(database, op.sends, now)
  for (const event of op.events) {
    Event.set(database, op.workflowId, event, now)
    Waiter.wakeForEvent(database, op.workflowId, event.key, now)
  }
  for (const entry of op.entries) {
    const offset = Entry.append(database, op.workflowId, op.epoch, entry, now)
    if (offset !== undefined) Waiter.wakeForEntry(database, op.workflowId, entry.key, offset, now)
  }
  for (const superseded of op.supersedes) {
    Entry.supersede(database, op.workflowId, op.epoch, superseded)
  }
}

const fenced: Answer = { _tag: "Fenced" }
const recorded = (children: ReadonlyArray<StartAnswer>): Answer => ({ _tag: "Recorded", children })

const leave = (
  database: Database,
  { records, sends, workflowId }: Advance,
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
      const attempts = records.length > 0 ? 0 : owner.attempts
      return finish(database, workflowId, { ...owner, attempts, status, output, reason: null }, now)
    }
    case "Suspend": {
      // Read after the children are written: one of them may be what is awaited.
      for (const awaited of end.awaiting) {
        if (Waiter.isOver(database, awaited)) throw new Refused({ _tag: "Stirred", inbox: end.inbox })
        Waiter.enter(database, awaited, workflowId)
      }
      Ownership.giveUp(database, workflowId, "suspend")
      if (owner.queue !== "") Item.leaveMemory(database, workflowId)
      // A message to itself would have woken it, had it been asleep.
      const wakeAt = sends.some(({ to }) => to === workflowId) ? now : end.wakeAt
      return Mailbox.rest(database, workflowId, wakeAt, end.waits)
    }
    case "Block": {
      Ownership.giveUp(database, workflowId, "block")
      if (owner.queue !== "") Item.park(database, workflowId, now)
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
      return makeDue(database, workflowId, owner.queue, now)
    }
  }
}

/**
 * Whether the very same write was made before, its answer lost: then the owner gave the workflow up by it, and nobody
 * has changed the epoch since (everybody else who changes something raises it).
 */
const wasWritten = (database: Database, op: Advance, owner: Ownership.Ownership | undefined): boolean =>
  (owner === undefined ? wasSettled(database, op) : owner.epoch === op.epoch && owner.rest === restOf(op.end))
  && hasAll(database, op)

/** Whether everything that it writes is there. */
const hasAll = (database: Database, op: Advance): boolean =>
  op.records.every((record) => Step.hasRecord(database, op.workflowId, op.epoch, record))
  && op.attempts.every((attempt) => Step.hasAttempt(database, op.workflowId, attempt))
  && op.children.every((child) => isStarted(database, child))
  && op.sends.every((message) => Message.wasSent(database, message))
  && op.consumes.every((consumed) => Message.wasConsumed(database, op.workflowId, consumed))
  && op.events.every((event) => Event.wasSet(database, op.workflowId, event))
  && op.entries.every((entry) => Entry.wasAppended(database, op.workflowId, op.epoch, entry))

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
