/** Which step runs now, and which attempt of it. Outside a step there is none. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** One attempt of one step. */
export interface StepStatus {
  /** Order of calls in the workflow, from 0. */
  readonly stepId: number
  readonly name: string
  /** From 0. Attempts made before a crash count. */
  readonly currentAttempt: number
  /** Attempts allowed in all. Default: 3, of which only transient errors use more than one. */
  readonly maxAttempts: number
}

/** The status of the current step; undefined outside a step. */
export const Current: Context.Reference<StepStatus | undefined> = Context.Reference("perdure/StepStatus", {
  defaultValue: (): StepStatus | undefined => undefined
})

/** The status of the step that the current fiber belongs to. */
export const current: Effect.Effect<StepStatus | undefined> = Current
