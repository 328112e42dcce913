/** What is looked at again and again: how far workflows are, heads of queues, figures over time. Each look is bounded. */
import type * as Effect from "effect/Effect"
import type { ListFilter, StoreError, WorkflowRow } from "../Store.ts"
import type { WorkflowStatus } from "../WorkflowStatus.ts"

/** How far a workflow is: changes with everything that is recorded of it. */
export interface ProgressRow {
  readonly workflowId: string
  readonly status: WorkflowStatus
  /** Recorded outcomes. */
  readonly steps: number
  /** Recorded failed attempts, those of steps with an outcome included. */
  readonly attempts: number
}

/** Workflows that were created in a range of time: at most the `limit` newest of them. */
export interface Span {
  /** Inclusive. */
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** Null: of all names. */
  readonly name: string | null
  readonly limit: number
}

/** How many workflows that were created in a stretch of time have come to a status by now. */
export interface ActivityRow {
  /** From 0: `from + bucket * bucketMs` begins it. */
  readonly bucket: number
  readonly status: WorkflowStatus
  readonly count: number
  /** When the first of them was created. */
  readonly since: number
}

/** How workflows of one name have ended. Milliseconds from their start to their end. */
export interface NameRow {
  readonly name: string
  readonly ended: number
  /** Those that did not end in `SUCCESS`. */
  readonly failed: number
  readonly meanMs: number
  /** Nineteen of twenty took at most so long. */
  readonly p95Ms: number
  readonly maxMs: number
  /** The one that took longest. */
  readonly slowestId: string
}

/** A page of which no more than so many rows were looked at. */
export interface BoundedRows {
  readonly rows: ReadonlyArray<WorkflowRow>
  /** The row at which looking stopped although the page was not full; null: the page is full, or nothing is behind it. */
  readonly lookedTo: { readonly createdAt: number; readonly workflowId: string } | null
}

export interface ObservationStore {
  /**
   * As `list`, but of what no index finds at most `look` rows are looked at, in the order of the list. Which restrictions
   * an index finds is the store's to know; where it finds all of them, this is `list`.
   */
  readonly listWithin: (filter: ListFilter, look: number) => Effect.Effect<BoundedRows, StoreError>

  /** As `count`, looking as `listWithin` does. Not complete: it stopped at the limit, or after `look` rows. */
  readonly countWithin: (
    filter: ListFilter,
    look: number
  ) => Effect.Effect<{ readonly count: number; readonly complete: boolean }, StoreError>

  /** Those that exist. One statement for all. */
  readonly progress: (workflowIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<ProgressRow>, StoreError>

  /**
   * The first that waits in a queue; of a partitioned one the first of all partitions' first, of a thousand partitions at
   * most. Null: none waits.
   */
  readonly queueHead: (queue: string) => Effect.Effect<string | null, StoreError>

  /** In no order. */
  readonly activity: (span: Span, bucketMs: number) => Effect.Effect<ReadonlyArray<ActivityRow>, StoreError>

  /** Of those that have started and ended, by name. */
  readonly names: (span: Span) => Effect.Effect<ReadonlyArray<NameRow>, StoreError>
}
