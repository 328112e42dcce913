/** Messages: in one line per destination, each there once, consumed by the step that its owner names. */
import type { Consume, MessageOptions, MessageRow, Send, SendRefusal } from "perdure/Store"
import type { Bind, Database } from "./database.ts"
import { Unstorable } from "./database.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"

/**
 * Puts a message into the mailbox of its destination. One that is there already is as good as delivered, whatever has
 * become of the destination since. Its number is the inbox's count, so it rises by every message and never comes twice.
 */
export const send = (database: Database, message: Send, now: number): "delivered" | "there" | SendRefusal => {
  const before = find(database, message)
  if (before !== undefined) return isSame(before, message) ? "there" : "conflict"
  const owner = Ownership.find(database, message.to)
  if (owner === undefined || owner.phase !== "run") return exists(database, message.to) ? "ended" : "unknown"
  Mailbox.deliver(database, message.to, now)
  database.run(
    `INSERT INTO perdure_message (workflow_id, seq, message_id, topic, payload, codec, sender_id, sent_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    message.to,
    Mailbox.inbox(database, message.to),
    message.messageId,
    message.topic,
    message.payload,
    message.codec,
    message.senderId,
    now
  )
  return "delivered"
}

interface Content {
  readonly topic: string
  readonly payload: string
  readonly codec: string
}

const find = (database: Database, { messageId, to }: Send): Content | undefined =>
  database.get(
    "SELECT topic, payload, codec FROM perdure_message WHERE workflow_id = ? AND message_id = ?",
    to,
    messageId
  )

const isSame = (one: Content, other: Content): boolean =>
  one.topic === other.topic && one.payload === other.payload && one.codec === other.codec

const exists = (database: Database, workflowId: string): boolean =>
  database.get("SELECT 1 FROM perdure_workflow WHERE workflow_id = ?", workflowId) !== undefined

/** Whether this message was delivered, or could have been: its destination may be deleted by now. */
export const wasSent = (database: Database, message: Send): boolean => {
  const there = find(database, message)
  return there === undefined ? !exists(database, message.to) : isSame(there, message)
}

/** Only the owner consumes, so a message that another step has is a mistake of the owner's. */
export const consume = (database: Database, workflowId: string, { seq, stepId }: Consume): void => {
  const consumed = database.run(
    `UPDATE perdure_message SET consumed_by = ?
     WHERE workflow_id = ? AND seq = ? AND (consumed_by IS NULL OR consumed_by = ?)`,
    stepId,
    workflowId,
    seq,
    stepId
  )
  if (consumed === 0) throw new Unstorable(`message ${seq} of ${workflowId} is not there or consumed by another step`)
}

export const wasConsumed = (database: Database, workflowId: string, { seq, stepId }: Consume): boolean =>
  database.get(
    "SELECT 1 FROM perdure_message WHERE workflow_id = ? AND seq = ? AND consumed_by = ?",
    workflowId,
    seq,
    stepId
  ) !== undefined

interface Columns extends Content {
  readonly seq: number
  readonly message_id: string
  readonly sender_id: string | null
  readonly sent_at: number
  readonly consumed_by: number | null
}

export const messages = (
  database: Database,
  workflowId: string,
  options: MessageOptions
): ReadonlyArray<MessageRow> => {
  const params: Array<Bind> = [workflowId]
  const conditions = ["workflow_id = ?"]
  if (options.consumed !== true) conditions.push("consumed_by IS NULL")
  if (options.topic !== null) {
    conditions.push("topic = ?")
    params.push(options.topic)
  }
  if (options.after !== undefined) {
    conditions.push("seq > ?")
    params.push(options.after)
  }
  // The planner, which knows no sizes, would read the consumed ones too: there may be many, and few that are not.
  const index = options.consumed === true ? "" : "INDEXED BY perdure_message_unread"
  return database.all<Columns>(
    `SELECT seq, message_id, topic, payload, codec, sender_id, sent_at, consumed_by
     FROM perdure_message ${index} WHERE ${conditions.join(" AND ")} ORDER BY seq LIMIT ?`,
    ...params,
    options.limit
  ).map((row) => ({
    seq: row.seq,
    messageId: row.message_id,
    topic: row.topic,
    payload: row.payload,
    codec: row.codec,
    senderId: row.sender_id,
    sentAt: row.sent_at,
    consumedBy: row.consumed_by
  }))
}

/** How long a consumed message stands for its idempotency key, in a workflow that begins anew. */
const rememberedMs = 86_400_000
/** Messages that one renewal forgets, besides one for each record of the life that ends. */
const spare = 1_000

/**
 * The oldest that were consumed. A life consumes no more messages than it has records, so more are forgotten than come, and
 * it costs no more than what the life itself did.
 */
export const forget = (database: Database, workflowId: string, records: number, now: number): void => {
  database.run(
    `DELETE FROM perdure_message WHERE workflow_id = ? AND seq IN (
       SELECT seq FROM perdure_message INDEXED BY perdure_message_consumed
       WHERE workflow_id = ? AND consumed_by IS NOT NULL AND sent_at < ? ORDER BY sent_at LIMIT ?
     )`,
    workflowId,
    workflowId,
    now - rememberedMs,
    records + spare
  )
}
