/** A workflow's whole history as one value, to be carried to another store. */
import type * as Effect from "effect/Effect"
import type { AttemptRecord, StepRecord, StoreError, WorkflowRow } from "../Store.ts"
import type { EventWrite, MessageRow, StreamEntry } from "./messages.ts"

/** A value that an event has had. */
export interface ArchivedEvent extends EventWrite {
  readonly at: number
}

/** Where it stands among what events were set to. */
export interface EventPlace {
  readonly key: string
  /** The order among those of its key. */
  readonly n: number
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
  /** What the events of a workflow were set to, as far as a fork needs it: by key, each in the order in which it was set. */
  readonly eventWrites: (
    workflowId: string,
    page: { readonly after: EventPlace | null; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<ArchivedEvent & EventPlace>, StoreError>

  /**
   * Writes a history in one commit. False: the id is taken, and nothing was written. Its phase is `done`, or `run` with the
   * status `BLOCKED`: unowned, never due, to be resumed by an operator. It is in no queue and has no deadline to come.
   */
  readonly putHistory: (history: History) => Effect.Effect<boolean, StoreError>
}
