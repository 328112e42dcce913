/** What was delivered to the body and is not written yet: records, and what goes along with them in the same write. */
import type {
  Advance,
  Answer,
  AttemptRecord,
  Consume,
  End,
  EventWrite,
  Send,
  Start,
  StepRecord,
  StreamWrite,
  Supersede
} from "../Store.ts"
import { nothingOf } from "./operation.ts"

/** What an operation writes besides its record. */
export interface Along {
  readonly consumes?: ReadonlyArray<Consume>
  readonly events?: ReadonlyArray<EventWrite>
  readonly entries?: ReadonlyArray<StreamWrite>
  readonly supersedes?: ReadonlyArray<Supersede>
}

/** A record to be written. */
export interface Unsaved {
  readonly record: StepRecord
  readonly along: Along | undefined
}

/** One write of a run. */
export interface Write {
  readonly records?: ReadonlyArray<StepRecord>
  readonly attempts?: ReadonlyArray<AttemptRecord>
  readonly children?: ReadonlyArray<Start>
  readonly sends?: ReadonlyArray<Send>
  readonly along?: Along
  readonly end?: End
  /** That the store rejects it is an answer: another outcome may be recorded by the time, and then that one counts. */
  readonly contested?: boolean
}

const none: ReadonlyArray<never> = []

/** The write, with all that was not written before it. */
export const advanceOf = (
  workflowId: string,
  epoch: number,
  unsaved: ReadonlyArray<Unsaved>,
  write: Write
): Advance => {
  const alongs = [...unsaved.map((one) => one.along), write.along].filter((along) => along !== undefined)
  return {
    ...nothingOf(workflowId, epoch),
    records: [...unsaved.map((one) => one.record), ...write.records ?? none],
    attempts: write.attempts ?? none,
    children: write.children ?? none,
    sends: write.sends ?? none,
    consumes: alongs.flatMap((along) => along.consumes ?? none),
    events: alongs.flatMap((along) => along.events ?? none),
    entries: alongs.flatMap((along) => along.entries ?? none),
    supersedes: alongs.flatMap((along) => along.supersedes ?? none),
    end: write.end ?? null
  }
}

/**
 * Whether the write says more than what was not written before it: then a refusal is of what it says. A block says nothing
 * that could be refused; it is what goes along, which then cannot be kept.
 */
export const saysMore = (write: Write): boolean =>
  write.records !== undefined || write.attempts !== undefined || write.children !== undefined ||
  write.sends !== undefined || write.along !== undefined || (write.end !== undefined && write.end._tag !== "Block")

/** Nothing was written, for a reason that whoever asked for the write takes care of. */
export const wasRefused = (answer: Answer): boolean => refusals.has(answer._tag)

const refusals: ReadonlySet<Answer["_tag"]> = new Set([
  "ChildConflict",
  "ChildDuplicate",
  "NoQueue",
  "SendRefused",
  "Stirred"
])
