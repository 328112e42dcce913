/**
 * How workflows enqueued in a scope wait in their queue: priority, deduplication id, partition key, version, delay.
 *
 * ```ts
 * yield* tasks.enqueue(ProcessTask, { id: "urgent" }).pipe(Effect.provide(EnqueueOptions.layer({ priority: 100 })))
 * ```
 *
 * The options of a call win over the scope, field by field. Scopes nest: the inner one replaces the outer one as a whole,
 * leaving it restores the outer one. They are the scope's alone: a workflow does not hand them on to what its body
 * enqueues. What is started without a queue does not heed them.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** How a workflow waits in its queue. What makes no sense is refused by the enqueue, with `InvalidArgument`. */
export interface EnqueueOptions {
  /** 1 to 2,147,483,647; higher starts first. None given comes last; among equals the first enqueued starts first. */
  readonly priority?: number | undefined
  /**
   * While a workflow with this id has not ended, no other with it starts in the queue; see `onDuplicate`. Free again at
   * every end, of a cancelled one at once. 1 to 256 bytes.
   */
  readonly deduplicationId?: string | undefined
  /**
   * What becomes of an enqueue whose deduplication id is taken. `"attach"`: it returns the handle of the workflow that has
   * it. `"fail"`: it fails with `DuplicateEnqueued`. Either way nothing is enqueued. Default: `"attach"`.
   */
  readonly onDuplicate?: "attach" | "fail" | undefined
  /**
   * Workflows of one key start in their order, so many at a time as the queue says (one, if it does not); those of
   * different keys beside one another. Given exactly where the queue is partitioned. 1 to 256 bytes.
   */
  readonly partitionKey?: string | undefined
  /**
   * The version of the application that is to run it; `""`: the one that is the latest when it starts. Default: the
   * version of the engine that enqueues it.
   */
  readonly version?: string | undefined
  /** It begins to wait in the queue only after so long, on the database's clock; until then it is `DELAYED`. */
  readonly delay?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// references
// -----------------------------------------------------------------------------

/** The options of the current scope. */
export const Current: Context.Reference<EnqueueOptions> = Context.Reference("perdure/EnqueueOptions", {
  defaultValue: (): EnqueueOptions => ({})
})

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Sets the options of workflows enqueued in the scope.
 *
 * *Gotchas*
 *
 * Never memoized: each `Effect.provide` of it is a scope of its own. A deduplication id here is that of every workflow
 * enqueued in the scope, so all of them are one.
 */
export const layer = (options: EnqueueOptions): Layer.Layer<never> => Layer.fresh(Layer.succeed(Current, options))
