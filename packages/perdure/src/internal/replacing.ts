/** Changing how a workflow waits for its start, and what it is found by. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { QueuedAnswer } from "../Store.ts"
import { fromStoreError, InvalidArgument, NotWaiting, WorkflowError } from "../WorkflowError.ts"
import { type Attributes, checkAttributes } from "./attributes.ts"
import type { Core } from "./core.ts"
import { priorityOf } from "./enqueuing.ts"
import { timeOf } from "./filtering.ts"
import { tell } from "./hearing.ts"
import * as Managing from "./managing.ts"
import { durationMs } from "./names.ts"
import { attemptSync } from "./starting.ts"

const changed = (
  core: Core,
  workflowId: string,
  answer: QueuedAnswer,
  what: string
): Effect.Effect<void, WorkflowError> => {
  switch (answer) {
    case "changed":
      return tell(core, [{ _tag: "Due", name: "*" }])
    case "started":
      return Effect.fail(new WorkflowError({ reason: new NotWaiting({ workflowId, detail: `it is not ${what}` }) }))
    case "unknown":
      return Effect.fail(Managing.notFound(workflowId))
  }
}

export const setDelay = (
  core: Core,
  workflowId: string,
  delay: Duration.Input | Date
): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    const delayMs = yield* delay instanceof Date
      ? lengthUntil(core, delay)
      : attemptSync(() => durationMs("delay", delay))
    const answer = yield* Effect.mapError(core.store.setDelay(workflowId, delayMs), fromStoreError)
    yield* changed(core, workflowId, answer, "delayed (any more)")
  })

const lengthUntil = (core: Core, time: Date): Effect.Effect<number, WorkflowError> =>
  Effect.gen(function*() {
    const at = yield* attemptSync(() => timeOf("delay", time))
    const now = yield* Effect.mapError(core.store.now, fromStoreError)
    return yield* attemptSync(() => durationMs("delay", Math.max(0, at - now)))
  })

export const setPriority = (core: Core, workflowId: string, priority: number): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    const checked = yield* attemptSync(() => {
      if (priority === undefined) throw missing()
      return priorityOf(priority)
    })
    const answer = yield* Effect.mapError(core.store.setPriority(workflowId, checked), fromStoreError)
    yield* changed(core, workflowId, answer, "waiting in a queue (any more)")
  })

const missing = (): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "priority",
      detail: "it is missing",
      remedy: "Give a whole number from 1."
    })
  })

export const setAttributes = (
  core: Core,
  workflowId: string,
  attributes: Attributes
): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(attemptSync(() => checkAttributes(attributes)), (checked) =>
    Effect.flatMap(
      Effect.mapError(core.store.setAttributes(workflowId, checked), fromStoreError),
      (known) => known ? Effect.void : Effect.fail(Managing.notFound(workflowId))
    ))
