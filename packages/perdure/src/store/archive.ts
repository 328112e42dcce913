/** A workflow's whole history as one value, to be carried to another store. */
import type * as Effect from "effect/Effect"
import type { AttemptRecord, StepRecord, StoreError, WorkflowRow } from "../Store.ts"
import type { EventWrite, MessageRow, StreamEntry } from "./messages.ts"

/** A value that an event has had. */
export interface ArchivedEvent extends EventWrite {
  readonly at: number
}

export interface ArchivedEntry extends StreamEntry {
  readonly key: string
}

/** Everything that is stored of a workflow, but for what only matters while it runs: places, waits, leases. */
export interface History {
  readonly workflow: WorkflowRow
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  /** Oldest first, received ones included. */
  readonly messages: ReadonlyArray<MessageRow>
  /** In the order in which they were set. */
  readonly events: ReadonlyArray<ArchivedEvent>
  readonly entries: ReadonlyArray<ArchivedEntry>
}

export interface ArchiveStore {
  /** What the events of a workflow were set to, in that order, as far as a fork needs it. */
  readonly eventWrites: (workflowId: string) => Effect.Effect<ReadonlyArray<ArchivedEvent>, StoreError>

  /**
   * Writes a history in one commit. False: the id is taken, and nothing was written. Its phase is `done`, or `run` with the
   * status `BLOCKED`: unowned, never due, to be resumed by an operator. It is in no queue and has no deadline to come.
   */
  readonly putHistory: (history: History) => Effect.Effect<boolean, StoreError>
}
