/**
 * Debouncers: of many calls in quick succession, one workflow, started when there has been silence for a while, with the
 * payload of the last call.
 *
 * ```ts
 * const reindex = Debouncer.make("reindex", { workflow: Reindex, limit: "5 minutes" })
 * const handle = yield* reindex.debounce(documentId, "10 seconds", { documentId, revision })
 * ```
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Engine } from "./Engine.ts"
import { debounce } from "./internal/debouncing.ts"
import { priorityOf } from "./internal/enqueuing.ts"
import { checkKey, MAX_DURATION_MS, positiveDurationMs } from "./internal/names.ts"
import { DEBOUNCER_QUEUE } from "./internal/queueDefinition.ts"
import { attemptSync } from "./internal/starting.ts"
import type { Workflow } from "./Workflow.ts"
import { InvalidArgument, WorkflowError } from "./WorkflowError.ts"
import * as WorkflowHandle from "./WorkflowHandle.ts"
import type { WorkflowQueue } from "./WorkflowQueue.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** What a debouncer starts, and how. */
export interface Options<Payload, Success, Error> {
  readonly workflow: Workflow<string, Payload, Success, Error>
  /** Where the workflow waits for its turn when the silence is over. Not a partitioned one. Default: it needs no turn. */
  readonly queue?: WorkflowQueue | undefined
  /** At most so long after the first call the workflow starts, however many follow. Default: no limit. */
  readonly limit?: Duration.Input | undefined
  /** In the queue. Default: none, last. */
  readonly priority?: number | undefined
  /** Of the workflow, counted from the first call. Default: the scope's, else the definition's, else none. */
  readonly timeout?: Duration.Input | undefined
  /** Of the workflow; those of the first call stay. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** One workflow for many calls. */
export interface Debouncer<Payload, Success, Error> {
  readonly name: string

  /**
   * Starts the workflow after `period`, unless it is called again with this key before: then that call counts, with its
   * payload and its period. Succeeds with the handle of the one workflow that waits, once that is durable.
   *
   * *Details*
   *
   * Keys are independent of one another. A call that comes when the workflow has begun to wait for its turn, or to run, is
   * the first of a new one. User, roles, timeout and version are of the first call; `EnqueueOptions` and `WorkflowId` of
   * the scope do not count. Fails like an enqueue.
   *
   * **Durability.** Each call is one commit; in a body it is one with the caller's record, and a replay gets the same
   * handle without moving anything.
   */
  readonly debounce: (
    key: string,
    period: Duration.Input,
    ...payload: [Payload] extends [void] ? [payload?: Payload] : [payload: Payload]
  ) => Effect.Effect<WorkflowHandle.WorkflowHandle<Success, Error>, WorkflowError, Engine>
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Makes a debouncer. `name`: 1 to 255 bytes (a `%` or a `/` counts as three); debouncers of one name (and queue) share
 * their keys, in whichever process.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for what makes no sense.
 */
export const make = <Payload, Success, Error>(
  name: string,
  options: Options<Payload, Success, Error>
): Debouncer<Payload, Success, Error> => {
  const prefix = `${escaped(checkKey(name, "debouncer name"))}/`
  // Together with a key it is a deduplication id, which a store holds up to 512 bytes.
  checkKey(prefix, "debouncer name")
  const { definition } = options.workflow
  const queue = options.queue?.definition ?? DEBOUNCER_QUEUE
  if (queue.limits.partitioned !== null) throw partitioned(queue.name)
  const limitMs = options.limit === undefined ? MAX_DURATION_MS : positiveDurationMs("limit", options.limit)
  const priority = priorityOf(options.priority)
  const { attributes, timeout } = options
  return {
    name,
    debounce: (key, period, payload?: unknown) =>
      Effect.flatMap(Engine, ({ core }) =>
        Effect.flatMap(
          attemptSync(() => ({
            definition,
            queue,
            deduplicationId: prefix + checkKey(key, "debounce key"),
            periodMs: positiveDurationMs("period", period),
            limitMs,
            priority,
            options: { attributes, timeout }
          })),
          (debounced) => debounce(core, payload, debounced)
        )).pipe(Effect.map((workflowId) => WorkflowHandle.make(workflowId, definition)))
  }
}

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

/** So that no name and key together are another name and key. */
const escaped = (name: string): string => name.replace(/[%/]/g, (char) => char === "%" ? "%25" : "%2F")

const partitioned = (queue: string): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "queue",
      detail: `"${queue}" is partitioned, and a debouncer has no partition key`,
      remedy: "Give a queue that is not partitioned, or none."
    })
  })
