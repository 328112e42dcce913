/** What operators do: fork, delete, retain; versions and executors. */
import type * as Effect from "effect/Effect"
import type { ListFilter, Served, StoreError } from "../Store.ts"
import type { WorkflowStatus } from "../WorkflowStatus.ts"

/**
 * A new workflow out of another's records: of the same name, user, roles and attributes, without its parent, deadline,
 * queue, messages and schedule. It is `ENQUEUED`, due at once. Its records are numbered anew (`seq` and `asked`), in their
 * order; rollbacks are not copied. Where records are copied, its `startedAt` is the source's, since they are of that time.
 */
export interface Fork {
  readonly sourceId: string
  readonly workflowId: string
  /** Made by the client for this very fork: submitted again, it is the same. */
  readonly token: string
  /** As that of a `Start`. */
  readonly epoch: number
  /** Records with a lower step id are copied, and what they wrote: events, and entries of streams. */
  readonly fromStep: number
  /** Null: the source's. */
  readonly version: string | null
  /** Null: the source's. Only with `fromStep` 0. */
  readonly payload: string | null
  /** From the fork's start; null: none. */
  readonly timeoutMs: number | null
}

export type ForkAnswer =
  | { readonly _tag: "Forked"; readonly name: string }
  | { readonly _tag: "Unknown" }
  /** The id is taken. */
  | { readonly _tag: "Exists" }
  /** The source has steps 0 to `steps - 1`, and `fromStep` is greater than `steps`. */
  | { readonly _tag: "NoSuchStep"; readonly steps: number }

export type DeleteAnswer =
  | { readonly workflowId: string; readonly result: "deleted" }
  /** Not done: nothing of it was deleted. With children: one of them is not; then that one's status. */
  | { readonly workflowId: string; readonly result: "running"; readonly status: WorkflowStatus }
  | { readonly workflowId: string; readonly result: "unknown" }

/**
 * Which done workflows may go: of a name (null: all), those that are older and beyond the newest so many of their name. A
 * child stays while its parent is not done.
 */
export interface Retention {
  readonly name: string | null
  /** Completed longer ago than this. Null: of any age. */
  readonly olderThanMs: number | null
  /** The newest so many (by completion) of each name stay. Null: none need stay. */
  readonly keep: number | null
}

export interface VersionRow {
  readonly version: string
  readonly createdAt: number
  /** The greatest is the latest; of two that are the same, the one with the greater name. */
  readonly latestAt: number
}

export interface ExecutorRow {
  readonly incarnation: string
  readonly executorId: string
  readonly version: string
  readonly state: "alive" | "lapsed"
  readonly leaseUntil: number
  readonly owned: number
  readonly served: ReadonlyArray<Served>
  /** Null: every queue. */
  readonly queues: ReadonlyArray<string> | null
}

/** How many leases were ended, and how many workflows that are not done have a new epoch. */
export interface Fenced {
  readonly executors: number
  readonly workflows: number
}

export interface ManagementStore {
  readonly fork: (fork: Fork) => Effect.Effect<ForkAnswer, StoreError>

  /**
   * Deletes done workflows with everything that is stored of them; with `children`, also theirs, however deep, detached
   * ones too.
   */
  readonly delete: (
    workflowIds: ReadonlyArray<string>,
    options: { readonly children: boolean }
  ) => Effect.Effect<ReadonlyArray<DeleteAnswer>, StoreError>

  /** One batch of at most `limit`. Returns how many were deleted; fewer than `limit`: there is no more. */
  readonly retain: (retention: Retention, limit: number) => Effect.Effect<number, StoreError>

  /** How many a list without limit would show, counted up to `limit`. */
  readonly count: (filter: ListFilter) => Effect.Effect<number, StoreError>

  /** Replaces the attributes. False: there is no such workflow. */
  readonly setAttributes: (
    workflowId: string,
    attributes: Readonly<Record<string, string | number | boolean>>
  ) => Effect.Effect<boolean, StoreError>

  /** The latest first. */
  readonly versions: Effect.Effect<ReadonlyArray<VersionRow>, StoreError>

  /** Makes a version the latest. False: no executor of it has ever joined. */
  readonly setLatestVersion: (version: string) => Effect.Effect<boolean, StoreError>

  /** Those that are alive, and those that lapsed and still own something or lapsed within the hour. */
  readonly executors: Effect.Effect<ReadonlyArray<ExecutorRow>, StoreError>

  /**
   * For a database that was restored from an older copy: ends every lease and raises every epoch beyond any that was
   * handed out before, also after the copy was made. Whoever still runs can write nothing more, and joins anew.
   */
  readonly fence: Effect.Effect<Fenced, StoreError>

  /** What this incarnation runs, for people to see. */
  readonly serve: (
    incarnation: string,
    served: ReadonlyArray<Served>,
    queues: ReadonlyArray<string> | null
  ) => Effect.Effect<void, StoreError>

  /**
   * Where a waiting workflow stands in its queue (with a partition key: among those of its key): how many are before it,
   * counted up to `limit`. Null: it does not wait.
   */
  readonly position: (workflowId: string, limit: number) => Effect.Effect<number | null, StoreError>

  /** What a suspended workflow is entered for, and with whom. */
  readonly awaited: (workflowId: string) => Effect.Effect<
    ReadonlyArray<{
      readonly workflowId: string
      readonly on: "end" | "event" | "stream"
      readonly key: string
      readonly status: WorkflowStatus | null
    }>,
    StoreError
  >
}
