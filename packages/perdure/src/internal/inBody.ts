/** What may not be done in a workflow's body, since it would be neither recorded nor the same on a replay. */
import * as Effect from "effect/Effect"
import { NotInBody, WorkflowError } from "../WorkflowError.ts"
import { CurrentRun } from "./run.ts"

/** Runs `f` with the engine, unless the current fiber is a workflow's body. In a step it runs like anywhere else. */
export const outsideBody = <A, E, R>(
  operation: string,
  f: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E | WorkflowError, R> =>
  Effect.withFiber((fiber): Effect.Effect<A, E | WorkflowError, R> =>
    fiber.getRef(CurrentRun) === undefined
      ? f()
      : Effect.fail(new WorkflowError({ reason: new NotInBody({ operation }) }))
  )
