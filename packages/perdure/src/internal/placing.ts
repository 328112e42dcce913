/** Where durable operations may be asked for, and what they are told elsewhere. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { OutsideWorkflow, WorkflowError } from "../WorkflowError.ts"
import { type AttemptScope, CurrentAttempt } from "./attemptScope.ts"
import { CurrentCore } from "./core.ts"
import { CurrentRun, type Run } from "./run.ts"
import { beside, refuseInTransaction } from "./transactions.ts"

/** Where a fiber is. */
export type Place =
  | { readonly _tag: "Body"; readonly run: Run }
  /** In an attempt of a step, or of a rollback. */
  | { readonly _tag: "Step"; readonly scope: AttemptScope }
  | { readonly _tag: "Outside" }

/** `inside` with the place of the current fiber; a failure in a transaction, where nothing else durable may happen. */
export const placed = <A, E, R>(
  what: string,
  inside: (place: Place, fiber: Fiber.Fiber<any, any>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | WorkflowError, R> =>
  Effect.withFiber((fiber): Effect.Effect<A, E | WorkflowError, R> => {
    const refused = refuseInTransaction(fiber.context, what)
    if (refused !== undefined) return Effect.fail(refused)
    const run = fiber.getRef(CurrentRun)
    if (run !== undefined) return inside({ _tag: "Body", run }, fiber)
    const scope = fiber.getRef(CurrentAttempt)
    return inside(scope === undefined ? { _tag: "Outside" } : { _tag: "Step", scope }, fiber)
  })

/** The scope of an attempt that still runs, and may write here. */
export const running = (scope: AttemptScope, operation: string): Effect.Effect<void, WorkflowError> =>
  scope.over
    ? outside(operation, "its step has ended", "Wait in the step for what it has forked.")
    : Effect.flatMap(CurrentCore, (core) => core === undefined ? Effect.void : beside(core, operation, Effect.void))

export const outside = (operation: string, detail: string, remedy: string): Effect.Effect<never, WorkflowError> =>
  Effect.fail(new WorkflowError({ reason: new OutsideWorkflow({ operation, detail, remedy }) }))
