/** A debounced start: it moves the delayed workflow that has its key, or is one itself. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { TransactionMisused, WorkflowError } from "../WorkflowError.ts"
import * as WorkflowId from "../WorkflowId.ts"
import { performBirths } from "./births.ts"
import { describe, parentOf, replayOf, succeeded } from "./children.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import type { Place } from "./enqueuing.ts"
import { childWorkflowId } from "./names.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import { enqueueWith } from "./queuing.ts"
import { CurrentRun } from "./run.ts"
import { attemptSync, idFrom, type Parent, startOf, type StartOptions, submitted } from "./starting.ts"
import { isPart } from "./transactions.ts"

export interface Debounced {
  readonly definition: Definition
  readonly queue: QueueDefinition
  /** Of the debouncer and of the key. */
  readonly deduplicationId: string
  readonly periodMs: number
  readonly limitMs: number
  readonly priority: number
  readonly options: StartOptions
}

/** Succeeds with the id of the one workflow that waits. */
export const debounce = (core: Core, payload: unknown, debounced: Debounced): Effect.Effect<string, WorkflowError> =>
  Effect.withFiber((fiber) => {
    const { deduplicationId, definition, queue } = debounced
    const place: Place = {
      enqueued: {
        queue: queue.name,
        priority: debounced.priority,
        partitionKey: null,
        deduplicationId,
        debounce: { limitMs: debounced.limitMs, expected: null }
      },
      onDuplicate: "fail",
      version: undefined,
      delay: debounced.periodMs
    }
    const start = (context: Context.Context<never>, parent: Parent | undefined) =>
      // An id of the scope would make the next call with the same payload a start made again, which moves nothing.
      startOf(
        core,
        Context.add(context, WorkflowId.Current, undefined),
        definition,
        payload,
        debounced.options,
        parent,
        place
      )
    const run = fiber.getRef(CurrentRun)
    if (run !== undefined) {
      return run.ask({
        ...describe(definition, { key: deduplicationId }),
        replay: replayOf<string>,
        perform: (call) =>
          performBirths(core, run, call, () => ({
            starts: [start(call.context, parentOf(run, call, childWorkflowId(run.workflowId, call.stepId)))],
            queue,
            onDuplicate: "fail",
            completed: ([workflowId]) => ({ ...succeeded(workflowId), childId: workflowId! })
          }))
      })
    }
    if (isPart(fiber.context)) return Effect.fail(within)
    return Effect.flatMap(
      attemptSync(() => start(fiber.context, undefined)),
      (start) => enqueueWith(core, queue, submitted(core, start), (answer) => idFrom(core, start, answer, "fail"))
    )
  })

const within = new WorkflowError({
  reason: new TransactionMisused({
    why: "nested",
    detail: "a debounce moves a workflow that is there already, whose rows the transaction would hold"
  })
})
