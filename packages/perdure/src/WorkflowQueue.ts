/**
 * Queues: flow control for workflows. What is enqueued waits until the queue's limits allow it to start, in the order of
 * priority and arrival, on whichever executor is free.
 *
 * ```ts
 * const emails = WorkflowQueue.make("emails", { concurrency: 10, rateLimit: { limit: 50, period: "1 minute" } })
 * const handle = yield* emails.enqueue(SendReceipt, { orderId: "42" }, { priority: 5 })
 * ```
 *
 * Limits hold over all executors and are kept in the store; an operator's changes there win over what code says. A limit
 * is never exceeded, and a place that becomes free is taken at once. A workflow holds its place from its start to its end,
 * also while it waits out of memory, and gets it back after a crash.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Engine } from "./Engine.ts"
import type { EnqueueOptions } from "./EnqueueOptions.ts"
import * as Bulk from "./internal/bulk.ts"
import { checkQueueName, limitsOf, type QueueDefinition } from "./internal/queueDefinition.ts"
import * as Queuing from "./internal/queuing.ts"
import { attemptSync } from "./internal/starting.ts"
import type { Workflow } from "./Workflow.ts"
import type { WorkflowError } from "./WorkflowError.ts"
import * as WorkflowHandle from "./WorkflowHandle.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** At most `limit` starts in any stretch of `period`, on the database's clock. */
export interface RateLimit {
  readonly limit: number
  readonly period: Duration.Input
}

/** What restricts workflows of one partition key. */
export interface PartitionLimits {
  /** Of one key, in all executors. Default: 1: one at a time and in order. */
  readonly concurrency?: number | undefined
  /** Of one key, in memory in one executor. Default: no limit of its own. */
  readonly executorConcurrency?: number | undefined
  /** Starts of one key. Default: none. */
  readonly rateLimit?: RateLimit | undefined
}

/** What restricts a queue. Nothing given: workflows start as soon as an executor has room. */
export interface Limits {
  /** Started and not ended, in all executors; those that wait out of memory count. Default: no limit. */
  readonly concurrency?: number | undefined
  /** In memory in one executor; those that wait out of memory do not count. At most `concurrency`. Default: no limit. */
  readonly executorConcurrency?: number | undefined
  /** Starts in all executors. Default: none. */
  readonly rateLimit?: RateLimit | undefined
  /**
   * Every enqueue names a partition key, and each key has these limits besides the queue's; `true`: the defaults. Of a
   * partition only the first may start: one that no executor can run holds up its key. Default: not partitioned.
   */
  readonly partitioned?: boolean | PartitionLimits | undefined
  /**
   * So much longer waiting is worth one point of priority, so that what has a low one starts some day. Default: never;
   * the order is strictly by priority.
   */
  readonly ageing?: Duration.Input | undefined
}

/** How one enqueue differs from the workflow's definition and from the scope. */
export interface CallOptions extends EnqueueOptions {
  /** As for a start. The same enqueue made again attaches to the workflow that the first one made. */
  readonly workflowId?: string | undefined
  /** From the enqueue to the end, on the database's clock. Default: the scope's, else the definition's, else none. */
  readonly timeout?: Duration.Input | undefined
  /** For people, and to search by: at most 64, text of at most 1,024 bytes. Not handed on to children. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /** In a body: identity of the enqueue in its branch. Default: the workflow's name. */
  readonly key?: string | undefined
  /** In a body: it is not cancelled with its parent, and does not inherit the parent's deadline. Default: false. */
  readonly detached?: boolean | undefined
}

/** How one workflow of a bulk differs from the others. */
export type ItemOptions = Omit<CallOptions, "onDuplicate" | "key">

/** How the workflows of a bulk are enqueued. */
export interface BulkOptions extends Omit<CallOptions, "workflowId" | "deduplicationId"> {
  /** Of each, from its payload and its index. */
  readonly each?: ((payload: any, index: number) => ItemOptions) | undefined
}

/** A queue, as code declares it. */
export interface WorkflowQueue {
  readonly name: string

  /** @internal */
  readonly definition: QueueDefinition

  /**
   * Enqueues the workflow. Succeeds with its handle once that is durable.
   *
   * *Details*
   *
   * Where the deduplication id is taken it is the handle of the workflow that has it, or `DuplicateEnqueued` with
   * `onDuplicate: "fail"`, or when that one is of another name. Before anything durable happens it may fail with
   * `InvalidArgument` (a priority out of range, a partition key that is missing or has no meaning here, ...), and as a
   * start would.
   *
   * **Durability.** The workflow starts when the queue lets it, whatever becomes of this process. In a body it is a
   * child: its row, its place in the queue and the parent's record commit together, and a replay gets the same handle.
   */
  readonly enqueue: <Payload, Success, Error>(
    workflow: Workflow<string, Payload, Success, Error>,
    ...args: [Payload] extends [void] ? [payload?: Payload, options?: CallOptions]
      : [payload: Payload, options?: CallOptions]
  ) => Effect.Effect<WorkflowHandle.WorkflowHandle<Success, Error>, WorkflowError, Engine>

  /**
   * Enqueues one workflow per payload, at most 10,000: all of them, or none. Succeeds with their handles, in that order.
   *
   * *Details*
   *
   * They wait in the order given. Payloads that share a workflow id (and say the same) or a deduplication id are one
   * workflow, whose handle they share. One that is refused (`WorkflowConflict`, or `DuplicateEnqueued` with
   * `onDuplicate: "fail"`) refuses all. Of a `WorkflowId` scope the first takes the id.
   *
   * **Durability.** One commit. In a body they are children under one record.
   */
  readonly enqueueMany: <Payload, Success, Error>(
    workflow: Workflow<string, Payload, Success, Error>,
    payloads: ReadonlyArray<NoInfer<Payload>>,
    options?: Omit<BulkOptions, "each"> & {
      readonly each?: ((payload: NoInfer<Payload>, index: number) => ItemOptions) | undefined
    }
  ) => Effect.Effect<ReadonlyArray<WorkflowHandle.WorkflowHandle<Success, Error>>, WorkflowError, Engine>

  /**
   * Tells the store the queue's limits when it is built, for a process that serves the queue without enqueueing. Fails
   * with `InvalidArgument` where another queue of the same name was declared in this process.
   */
  readonly layer: Layer.Layer<never, WorkflowError, Engine>
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Declares a queue.
 *
 * - `name`: 1 to 256 bytes, not beginning with `perdure.`; the same in every process that uses the queue.
 * - `limits`: told to the store by the first enqueue of this process, or by an engine that serves the queue. A change of
 *   them counts from the deploy that brings it, unless an operator has set others.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for what makes no sense.
 */
export const make = (name: string, limits: Limits = {}): WorkflowQueue => {
  const definition: QueueDefinition = { name: checkQueueName(name), limits: limitsOf(limits) }
  return {
    name: definition.name,
    definition,
    enqueue: (workflow, payload?: unknown, options?: CallOptions) =>
      Effect.map(
        Effect.flatMap(Engine, ({ core }) =>
          Queuing.start(core, workflow.definition, payload, options ?? {}, definition)),
        (workflowId) =>
          WorkflowHandle.make(workflowId, workflow.definition)
      ),
    enqueueMany: (workflow, payloads, options = {}) =>
      Effect.flatMap(
        Engine,
        ({ core }) =>
          Effect.flatMap(attemptSync(() => itemsOf(payloads, options)), (items) =>
            Bulk.enqueueMany(core, definition, workflow.definition, items, options))
      ).pipe(
        Effect.map((ids) =>
          ids.map((workflowId) => WorkflowHandle.make(workflowId, workflow.definition))
        )
      ),
    layer: Layer.effectDiscard(Effect.flatMap(Engine, ({ core }) => core.queues.registered(definition)))
  }
}

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const itemsOf = (payloads: ReadonlyArray<unknown>, options: BulkOptions): ReadonlyArray<Bulk.Item> => {
  const { each, key: _, ...common } = options
  return payloads.map((payload, index) => ({
    payload,
    options: each === undefined ? common : { ...common, ...each(payload, index) }
  }))
}
