/** One enqueue, from wherever it is made: outside, in a body, in a transaction of the application. */
import * as Effect from "effect/Effect"
import type { EnqueueOptions } from "../EnqueueOptions.ts"
import type { Answer } from "../Store.ts"
import { InvalidArgument, WorkflowError } from "../WorkflowError.ts"
import { startChild } from "./children.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { type Place, placeOf } from "./enqueuing.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import { CurrentRun } from "./run.ts"
import { attemptSync, idFrom, startOf, type StartOptions, submitStart, submitted } from "./starting.ts"
import { isPart } from "./transactions.ts"
import { startWithin } from "./within.ts"

export type CallOptions = StartOptions & EnqueueOptions & { readonly key?: string | undefined }

/** Starts the workflow, in the queue where there is one. Succeeds with its id once that is durable. */
export const start = (
  core: Core,
  definition: Definition,
  payload: unknown,
  options: CallOptions,
  queue?: QueueDefinition
): Effect.Effect<string, WorkflowError> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    if (run !== undefined) return startChild(core, run, definition, payload, options, queue)
    const within = isPart(fiber.context)
    return Effect.flatMap(
      attemptSync(() => {
        const place: Place | undefined = queue === undefined ? undefined : placeOf(queue, fiber.context, options)
        const start = startOf(core, fiber.context, definition, payload, options, undefined, place)
        return { start, onDuplicate: place?.onDuplicate ?? "attach" } as const
      }),
      ({ onDuplicate, start }) => {
        const decide = (answer: Answer) => idFrom(core, start, answer, onDuplicate)
        if (within) return Effect.flatMap(startWithin(core, [start], queue), ([answer]) => decide(answer!))
        return queue === undefined ? submitStart(core, start) : enqueueWith(core, queue, submitted(core, start), decide)
      }
    )
  })

/** How often a queue that the store has forgotten meanwhile is told of again. */
const maxTries = 5

/** Submits when the store knows the queue. */
export const enqueueWith = <A>(
  core: Core,
  queue: QueueDefinition,
  submit: Effect.Effect<Answer>,
  decide: (answer: Answer) => Effect.Effect<A, WorkflowError>,
  tries = 1
): Effect.Effect<A, WorkflowError> =>
  Effect.flatMap(Effect.andThen(core.queues.registered(queue), submit), (answer) => {
    if (answer._tag !== "NoQueue") return decide(answer)
    core.queues.forget(queue.name)
    return tries < maxTries ? enqueueWith(core, queue, submit, decide, tries + 1) : Effect.fail(gone(queue))
  })

const gone = (queue: QueueDefinition): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "queue",
      detail: `"${queue.name}" is deleted again and again`,
      remedy: "Find out who deletes it."
    })
  })
