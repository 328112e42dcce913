/**
 * What code can know about the workflow it runs in: in a body, in its steps, transactions and rollbacks. Outside a
 * workflow everything has a plain default, so nothing needs to be ensured.
 *
 * ```ts
 * const { workflowId, user } = yield* WorkflowContext.current
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Auth from "./Auth.ts"
import * as StepStatus from "./StepStatus.ts"

/** Where code runs, and on whose behalf. */
export interface WorkflowContext {
  readonly workflowId: string | undefined
  readonly workflowName: string | undefined
  /** The step that runs now; undefined in the body. */
  readonly step: StepStatus.StepStatus | undefined
  /** When the workflow is cancelled if it has not ended: milliseconds since 1970 on the database's clock. */
  readonly deadline: number | undefined
  /** The schedule that started the workflow, and the time of the tick that it is of; the same after a recovery. */
  readonly schedule: ScheduledFor | undefined
  readonly user: string | undefined
  readonly roles: ReadonlyArray<string>
  /** The role by which the workflow was allowed, where it asks for one. */
  readonly assumedRole: string | undefined
  readonly executorId: string | undefined
  readonly applicationVersion: string | undefined
}

/**
 * Asked for by what only makes sense in a workflow: receiving a message, setting an event, writing to a stream. Only
 * `Workflow.toLayer` provides it, to bodies and to what runs in them, so that elsewhere such code does not compile.
 */
export class InWorkflow extends Context.Service<InWorkflow, { readonly workflowId: string }>()("perdure/InWorkflow") {}

/** A tick of a schedule. */
export interface ScheduledFor {
  readonly name: string
  /** When the workflow was to start, by the rule. A workflow that was triggered: when that was. */
  readonly scheduledAt: Date
}

/** What is fixed for a run. */
export interface Fixed {
  readonly workflowId: string
  readonly workflowName: string
  readonly deadline: number | undefined
  readonly schedule: ScheduledFor | undefined
  readonly executorId: string
  readonly applicationVersion: string
}

/** What is fixed for the current run; undefined outside a workflow. */
export const Current: Context.Reference<Fixed | undefined> = Context.Reference("perdure/WorkflowContext", {
  defaultValue: (): Fixed | undefined => undefined
})

/** Where the current fiber is. */
export const current: Effect.Effect<WorkflowContext> = Effect.withFiber((fiber) => {
  const fixed = fiber.getRef(Current)
  const { assumedRole, roles, user } = fiber.getRef(Auth.Current)
  return Effect.succeed({
    workflowId: fixed?.workflowId,
    workflowName: fixed?.workflowName,
    step: fiber.getRef(StepStatus.Current),
    deadline: fixed?.deadline,
    schedule: fixed?.schedule,
    user,
    roles,
    assumedRole,
    executorId: fixed?.executorId,
    applicationVersion: fixed?.applicationVersion
  })
})
