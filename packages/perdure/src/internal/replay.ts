/**
 * Replay, as functions of data: given what was recorded and how far the body has come, what happens next.
 *
 * A record tells more than an outcome. `seq` is the order in which outcomes reached the body, `asked` how many had
 * reached it when it asked for this one, `at` the workflow's time of the delivery. So a history fixes the interleaving
 * of asking and answering, and a replay repeats it: a timer fires before the records that are later than it, and a
 * record is delivered only when every operation that had been asked for by then has been asked for again. That is what
 * makes the loser of a race, hidden behind plain asynchronous work, be there again before the winner is announced.
 */
import type { RecordKind, StepRecord } from "../Store.ts"

/** The records of one workflow, as replay looks at them. */
export interface History {
  /** By completion number. */
  readonly bySeq: ReadonlyArray<StepRecord>
  /** By `asked`: the order in which the body must have asked. */
  readonly byAsked: ReadonlyArray<StepRecord>
  readonly byKey: ReadonlyMap<string, StepRecord>
}

export const makeHistory = (records: ReadonlyArray<StepRecord>): History => {
  const bySeq = records.slice().sort((a, b) => a.seq - b.seq)
  return {
    bySeq,
    byAsked: bySeq.slice().sort((a, b) => a.asked - b.asked),
    byKey: new Map(bySeq.map((record) => [record.key, record]))
  }
}

/** How far a replay has come. Only {@link ask}, {@link passOver} and {@link delivered} change it. */
export interface Cursor {
  /** Outcomes that the body has received. */
  received: number
  /** Index into `bySeq`: all before it are delivered. */
  next: number
  /** Index into `byAsked`: all before it are asked for. */
  asking: number
  readonly asked: Set<string>
  readonly done: Set<string>
}

export const start = (): Cursor => ({ received: 0, next: 0, asking: 0, asked: new Set(), done: new Set() })

/** What the body asks for. `formerKey`: where its record may stand if the operation was renamed. */
export interface Asked {
  readonly key: string
  readonly formerKey: string | undefined
  readonly kind: RecordKind
}

export type Decision =
  /** It will be answered from this record, when its turn comes. */
  | { readonly _tag: "Recorded"; readonly record: StepRecord }
  /** It has no record; run it now if nothing recorded is left to deliver, else hold it. */
  | { readonly _tag: "Unrecorded" }
  /** Its record is of another kind of operation. */
  | { readonly _tag: "Mismatch"; readonly record: StepRecord }
  /** Its record has been claimed already, by its name or by a former one. */
  | { readonly _tag: "Taken"; readonly record: StepRecord }

export const ask = (history: History, cursor: Cursor, operation: Asked): Decision => {
  const record = history.byKey.get(operation.key) ??
    (operation.formerKey === undefined ? undefined : history.byKey.get(operation.formerKey))
  if (record === undefined) return { _tag: "Unrecorded" }
  if (cursor.asked.has(record.key)) return { _tag: "Taken", record }
  if (record.kind !== operation.kind) return { _tag: "Mismatch", record }
  cursor.asked.add(record.key)
  return { _tag: "Recorded", record }
}

export const delivered = (history: History, cursor: Cursor, record: StepRecord): void => {
  cursor.received++
  cursor.done.add(record.key)
  while (cursor.next < history.bySeq.length && cursor.done.has(history.bySeq[cursor.next].key)) cursor.next++
}

/** Code that has dropped a patch goes the patched way without asking: its record says nothing else. */
export const isPassedOver = (record: StepRecord): boolean => record.kind === "patch"

/** It will not be asked for. */
export const passOver = (cursor: Cursor, record: StepRecord): void => void cursor.asked.add(record.key)

/**
 * Whether a history shows that the body went on after this point of the branch `path`: a record is still to be asked for
 * in that branch, in one below it, or in one that it is a part of. Other branches go on beside it, and say nothing.
 */
export const goesOn = (history: History, cursor: Cursor, path: string): boolean =>
  history.bySeq.slice(cursor.next).some(({ key, kind }) => {
    const other = key.slice(0, key.lastIndexOf("/") + 1)
    return kind !== "rollback" && !cursor.asked.has(key) && (other.startsWith(path) || path.startsWith(other))
  })

/**
 * A record that a body which has ended should have received. It need not receive what it wrote together with others (see
 * `slots.ts`): starts and messages that it has asked for, where it ended on an earlier one of them.
 */
export const missed = (history: History, cursor: Cursor): StepRecord | undefined =>
  history.bySeq.find(({ key, kind }) =>
    kind !== "rollback" && kind !== "patch" && !cursor.done.has(key) &&
    !((kind === "child" || kind === "send") && cursor.asked.has(key))
  )

/** Whether every record has been delivered. */
export const isUsedUp = (history: History, cursor: Cursor): boolean => cursor.next === history.bySeq.length

export type Next =
  | { readonly _tag: "Deliver"; readonly record: StepRecord }
  /** The earliest timer is due before anything else happens. */
  | { readonly _tag: "Fire" }
  /**
   * This record was asked for by now when it was written, and has not been: plain asynchronous work, or other code.
   * `before`: what comes if it is not asked for.
   */
  | { readonly _tag: "Await"; readonly record: StepRecord; readonly before: "Deliver" | "Fire" }
  /** History is used up. */
  | { readonly _tag: "Live" }

/**
 * What comes next for a body that rests. `timer` is when its earliest timer is due; `liveAt` the database's time when
 * the workflow was claimed: timers due by then have passed, so they fire before anything is run.
 */
export const next = (history: History, cursor: Cursor, timer: number | undefined, liveAt: number): Next => {
  if (isUsedUp(history, cursor)) return timer !== undefined && timer <= liveAt ? { _tag: "Fire" } : { _tag: "Live" }
  const record = history.bySeq[cursor.next]
  if (timer !== undefined && timer <= record.at) {
    const started = missingBefore(history, cursor, timer)
    return started === undefined ? { _tag: "Fire" } : { _tag: "Await", record: started, before: "Fire" }
  }
  while (cursor.asking < history.byAsked.length && cursor.asked.has(history.byAsked[cursor.asking].key)) cursor.asking++
  const missing = history.byAsked[cursor.asking]
  return missing !== undefined && missing.asked <= cursor.received
    ? { _tag: "Await", record: missing, before: "Deliver" }
    : { _tag: "Deliver", record }
}

/** A record of an operation that had been started before this time, and has not been asked for. */
const missingBefore = (history: History, cursor: Cursor, time: number): StepRecord | undefined => {
  for (let i = cursor.asking; i < history.byAsked.length && history.byAsked[i].asked <= cursor.received; i++) {
    const record = history.byAsked[i]
    if (record.startedAt < time && !cursor.asked.has(record.key)) return record
  }
  return undefined
}

/**
 * What to deliver when waiting for the awaited record has been given up: code that was reordered asks in another order
 * than it did, and is right. The lowest completion that has been asked for; none: code and history disagree.
 */
export const outOfOrder = (history: History, cursor: Cursor): StepRecord | undefined => {
  for (let i = cursor.next; i < history.bySeq.length; i++) {
    const record = history.bySeq[i]
    if (cursor.asked.has(record.key) && !cursor.done.has(record.key)) return record
  }
  return undefined
}
