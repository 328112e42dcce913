/** Queues as a store keeps them: limits, what waits in them, and who holds their slots. */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../Store.ts"

/** Where a start waits. The queue must be registered: else the answer is `NoQueue`. */
export interface Enqueued {
  readonly queue: string
  /** 1 to 2,147,483,647, higher first; 0: none was given, last. */
  readonly priority: number
  /** Given exactly when the queue is partitioned. */
  readonly partitionKey: string | null
  /**
   * While a workflow with this id is not done, no other with it is started in the queue: the answer is `Duplicate`.
   * Free again at every terminal status, a cancelled one's at once.
   */
  readonly deduplicationId: string | null
  /**
   * A start that is `DELAYED` and waits for silence: another start of the same name with this deduplication id, while
   * it is delayed, replaces its payload and moves it, at most to this `limitMs` after its creation; the limit of the other
   * one does not count. From the time that it is delayed to its deduplication id is free, claimed or not. Needs
   * `deduplicationId` and a delay.
   */
  readonly debounce: Debounce | null
}

export interface Debounce {
  /** Milliseconds after the creation of the first. */
  readonly limitMs: number
  /**
   * For a child, whose record names the workflow that it gets: the delayed workflow that the parent expects to move;
   * null: none, so a new one. Another: `ChildDuplicate`, nothing written. Ignored for a start of its own.
   */
  readonly expected: string | null
}

/** At most `limit` starts in any `periodMs` of the database's clock. */
export interface RateLimit {
  readonly limit: number
  readonly periodMs: number
}

/** What restricts a queue. Null: unlimited. */
export interface QueueLimits {
  /** Admitted and not done, in all executors. A suspended workflow keeps its place here. */
  readonly concurrency: number | null
  /** In memory in one executor. A suspended workflow has no place here. */
  readonly executorConcurrency: number | null
  readonly rateLimit: RateLimit | null
  /** Not null: the queue is partitioned, and every start in it has a partition key. */
  readonly partitioned: {
    /** Of one key, in all executors. */
    readonly concurrency: number
    readonly executorConcurrency: number | null
    readonly rateLimit: RateLimit | null
  } | null
  /**
   * So much longer waiting is worth one point of priority, so that none starves: the order is by
   * `enqueuedAt - priority * ageingMs`. Null: strictly by priority. Ties, and equal priorities: first come, first served.
   * A delayed one comes when its delay is over.
   */
  readonly ageingMs: number | null
}

/** A queue and what is in it. Counts beyond 10,000 (`queueCountLimit`) may be given as 10,000. */
export interface QueueRow {
  readonly name: string
  readonly limits: QueueLimits
  /** An operator has set the limits: code does not change them any more. */
  readonly overridden: boolean
  /** Starts nothing; what has been admitted goes on. */
  readonly paused: boolean
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  /** When the longest waiting one was enqueued. */
  readonly oldestAt: number | null
}

/** What becomes of a change of one enqueued workflow. `started`: it does not wait any more. */
export type QueuedAnswer = "changed" | "started" | "unknown"

export interface QueueStore {
  /** Writes limits that code declares, unless an operator has set others. Writes nothing when they are the same. */
  readonly registerQueue: (name: string, limits: QueueLimits) => Effect.Effect<void, StoreError>

  /** An operator's limits (null: those that code declares next count again), or a pause. False: there is no such queue. */
  readonly setQueue: (
    name: string,
    change: { readonly limits?: QueueLimits | null; readonly paused?: boolean }
  ) => Effect.Effect<boolean, StoreError>

  /** All of them by name, or the ones named that exist. */
  readonly queues: (names: ReadonlyArray<string> | null) => Effect.Effect<ReadonlyArray<QueueRow>, StoreError>

  /** When the rate limit of a queue lets the next one start. Null: now, or it has none. */
  readonly rateFreeAt: (name: string) => Effect.Effect<number | null, StoreError>

  /** Forgets an empty queue. `occupied`: something is in it, nothing was done. */
  readonly deleteQueue: (name: string) => Effect.Effect<"deleted" | "occupied" | "unknown", StoreError>

  /** The new priority of an enqueued or delayed workflow; its place among equals stays by when it was enqueued. */
  readonly setPriority: (workflowId: string, priority: number) => Effect.Effect<QueuedAnswer, StoreError>

  /**
   * Moves the start of a `DELAYED` workflow to `delayMs` from now; 0: due at once. `started` from the time that it was
   * delayed to, whether anybody has claimed it or not.
   */
  readonly setDelay: (workflowId: string, delayMs: number) => Effect.Effect<QueuedAnswer, StoreError>
}
