/**
 * One workflow, by its id: what it is doing, how it ended, its steps.
 *
 * A handle holds nothing but the id and the definition's schemas. In a workflow's body `result` is a durable operation:
 * the outcome is recorded, and a replay gets the same. The others are not recorded and fail there with `NotInBody`: they
 * belong in a step.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Engine } from "./Engine.ts"
import * as Awaiting from "./internal/awaiting.ts"
import type { Core } from "./internal/core.ts"
import type { Definition } from "./internal/definition.ts"
import { outsideBody } from "./internal/inBody.ts"
import * as Managing from "./internal/managing.ts"
import type { WorkflowInfo } from "./internal/managing.ts"
import type { StepInfo } from "./internal/stepInfo.ts"
import type { WorkflowError } from "./WorkflowError.ts"
import type { WorkflowStatus } from "./WorkflowStatus.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A workflow, by its id, with the types of its definition. */
export interface WorkflowHandle<out A, out E> {
  readonly workflowId: string

  /** What the workflow is doing. Fails with `WorkflowNotFound` for an id that does not exist. */
  readonly status: Effect.Effect<WorkflowStatus, WorkflowError, Engine>

  /** Everything that is stored of it, but its steps. */
  readonly info: Effect.Effect<WorkflowInfo, WorkflowError, Engine>

  /**
   * The result, when the workflow is done.
   *
   * *Details*
   *
   * Fails with the workflow's own error `E`, or with a `WorkflowError` whose reason is `WorkflowFailed` (an undeclared
   * error, a defect), `WorkflowCancelled`, `WorkflowDeadLettered`, `WorkflowBlocked` (its code does not fit its history:
   * it goes on when that is mended and it is resumed), or `WorkflowNotFound`, at once, for an unknown id. Interrupting it
   * leaves the workflow alone.
   *
   * **Durability.** In a workflow's body the outcome is recorded, so there a blocked workflow is waited for until it is
   * mended; the waiting workflow may be suspended meanwhile.
   */
  readonly result: Effect.Effect<A, E | WorkflowError, Engine>

  /**
   * Like `result`, for so long: then it fails with `ResultTimeout`, and the workflow goes on. In a body that is recorded, and
   * the limit goes on without a process: an outcome that is there when it is looked for counts.
   */
  readonly resultWithin: (timeout: Duration.Input) => Effect.Effect<A, E | WorkflowError, Engine>

  /** Its recorded steps, in the order of calls. */
  readonly steps: Effect.Effect<ReadonlyArray<StepInfo>, WorkflowError, Engine>

  /** Cancels it, and its children that are not detached. Cannot be taken back once acknowledged. */
  readonly cancel: Effect.Effect<void, WorkflowError, Engine>
}

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

/** @internal */
export const make = <A, E>(workflowId: string, definition: Definition): WorkflowHandle<A, E> => {
  const managed = <B>(operation: string, f: (core: Core) => Effect.Effect<B, WorkflowError>) =>
    Effect.flatMap(Engine, ({ core }) => outsideBody(`A handle's ${operation}`, () => f(core)))
  const info = managed("info", (core) => Managing.get(core, workflowId))
  return {
    workflowId,
    info,
    status: Effect.map(info, (row) => row.status),
    result: Effect.flatMap(Engine, (engine) => Awaiting.result(engine.core, workflowId, definition)),
    resultWithin: (timeout) =>
      Effect.flatMap(Engine, (engine) => Awaiting.resultWithin(engine.core, workflowId, definition, timeout)),
    steps: managed("steps", (core) => Managing.steps(core, workflowId)),
    cancel: managed("cancel", (core) => Effect.asVoid(Managing.cancel(core, [workflowId], {})))
  }
}
