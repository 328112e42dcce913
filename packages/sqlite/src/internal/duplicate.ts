/** Deduplication and debouncing: what becomes of a start whose deduplication id another workflow has. */
import type { Enqueued, HeldChild, Start, StartAnswer } from "perdure/Store"
import type { Database } from "./database.ts"
import * as Item from "./item.ts"

/** The workflow that has the id, or that this start was debounced into before. */
export interface Holder {
  readonly workflowId: string
  readonly name: string
  /** It is delayed and waits for silence, and this start is of its kind: it gets the payload and starts later. */
  readonly movable: boolean
  /** By this very start, sent before. */
  readonly moved: boolean
}

export const find = (
  database: Database,
  op: Start,
  { debounce, deduplicationId, queue }: Enqueued
): Holder | undefined => {
  const before = debounce === null ? undefined : movedBefore(database, op)
  if (before !== undefined) {
    return { workflowId: before, name: op.name, movable: true, moved: true }
  }
  if (deduplicationId === null) return undefined
  const workflowId = Item.holderOf(database, queue, deduplicationId)
  if (workflowId === undefined) return undefined
  const row = database.get<{ name: string; debounced: 0 | 1; state: string | null }>(
    `SELECT w.name, w.debounced, i.state
     FROM perdure_workflow w LEFT JOIN perdure_queue_item i USING (workflow_id) WHERE w.workflow_id = ?`,
    workflowId
  )!
  const movable = debounce !== null && row.debounced === 1 && row.state === "delayed" && row.name === op.name
  return { workflowId, name: row.name, movable, moved: false }
}

/** Into which workflow this very start went. Remembered for an hour, for an answer that was lost. */
export const movedBefore = (database: Database, op: Start): string | undefined =>
  database.get<{ workflow_id: string }>("SELECT workflow_id FROM perdure_debounced WHERE token = ?", op.token)
    ?.workflow_id

/** The answer to a start that finds a holder; a movable one is moved. */
export const answer = (
  database: Database,
  op: Start,
  holder: Holder,
  now: number
): StartAnswer => {
  const { workflowId } = holder
  if (!holder.movable) return { _tag: "Duplicate", workflowId, name: holder.name }
  if (!holder.moved) move(database, op, workflowId, now)
  return { _tag: "Debounced", workflowId }
}

const move = (database: Database, op: Start, workflowId: string, now: number): void => {
  database.run(
    "UPDATE perdure_workflow SET payload = ?, codec = ? WHERE workflow_id = ?",
    op.payload,
    op.codec,
    workflowId
  )
  database.run(
    "UPDATE perdure_queue_item SET due_at = min(?, debounce_limit) WHERE workflow_id = ?",
    now + (op.delayMs ?? 0),
    workflowId
  )
  database.run(
    "INSERT INTO perdure_debounced (token, workflow_id, at) VALUES (?, ?, ?)",
    op.token,
    workflowId,
    now
  )
}

/** Why a child cannot be: the holder is not what its parent expects. */
export const refusal = (
  database: Database,
  op: Start,
  enqueued: Enqueued,
  index: number
): HeldChild | undefined => {
  if (enqueued.deduplicationId === null) return undefined
  const holder = find(database, op, enqueued)
  const expected = enqueued.debounce?.expected ?? null
  if (holder === undefined) {
    return expected === null
      ? undefined
      : cannotMove(index)
  }
  if (holder.movable && holder.workflowId === expected) return undefined
  const { movable, name, workflowId } = holder
  return { index, workflowId, name, movable }
}

/** One whose id is taken moves nobody, and its parent's record would say that it does. */
export const refusalOfTaken = ({ debounce }: Enqueued, index: number): HeldChild | undefined =>
  debounce?.expected == null ? undefined : cannotMove(index)

const cannotMove = (index: number): HeldChild => ({ index, workflowId: null, name: null, movable: false })

const memoryMs = 3_600_000

export const isForgettable = (database: Database, now: number): boolean =>
  database.get("SELECT 1 FROM perdure_debounced WHERE at < ? LIMIT 1", now - memoryMs) !== undefined

export const forget = (database: Database, now: number): void => {
  database.run("DELETE FROM perdure_debounced WHERE at < ?", now - memoryMs)
}
