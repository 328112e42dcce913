/**
 * Attempts of a step: run it, and run it again as its policy says. Failed attempts are recorded, so a crash gives no
 * fresh budget; the wait between two is durable, and long ones let the workflow leave memory.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as StepStatus from "../StepStatus.ts"
import { CurrentAttempt, makeAttemptScope, supersededBy } from "./attemptScope.ts"
import type { StorableSchema, ValueCodec } from "./codec.ts"
import type { Core } from "./core.ts"
import * as Failure from "./failure.ts"
import * as Metrics from "./metrics.ts"
import type { Call, Completed } from "./operation.ts"

/** A retry policy, checked. */
export interface Policy {
  readonly maxAttempts: number
  readonly intervalMs: number
  readonly factor: number
  readonly maxIntervalMs: number
  readonly while: (error: unknown) => boolean
}

/** An error that calls itself transient. */
const isTransient = (error: unknown): boolean =>
  typeof error === "object" && error !== null && (error as { readonly isRetryable?: unknown }).isRetryable === true

/** Without a policy of its own: transient errors get three attempts, everything else is final. */
export const defaultPolicy: Policy = {
  maxAttempts: 3,
  intervalMs: 500,
  factor: 2,
  maxIntervalMs: 3_600_000,
  while: isTransient
}

/** The delay before the attempt after `failed` failed ones, in whole milliseconds. Pure. */
export const delayMs = ({ factor, intervalMs, maxIntervalMs }: Policy, failed: number): number =>
  // The power is infinite after a thousand attempts or so, and that times zero no number at all.
  intervalMs === 0 ? 0 : Math.min(maxIntervalMs, Math.ceil(intervalMs * factor ** (failed - 1)))

export interface Attempted {
  readonly name: string
  readonly effect: Effect.Effect<unknown, unknown>
  readonly success: ValueCodec<any>
  readonly error: StorableSchema<any> | undefined
  readonly policy: Policy
  readonly timeoutMs: number | undefined
}

/** Runs the step until it succeeds, or fails for good. Of what it wrote to streams, the last attempt's counts. */
export const attempt = (core: Core, call: Call, step: Attempted): Effect.Effect<Completed> =>
  Effect.map(tried(core, call, step), (completed) => {
    const supersedes = supersededBy(call, completed.attempts - 1)
    return supersedes.length === 0 ? completed : { ...completed, along: { supersedes } }
  })

const tried = (core: Core, call: Call, step: Attempted): Effect.Effect<Completed> =>
  Effect.gen(function*() {
    const before = call.attempts[call.attempts.length - 1]
    if (before !== undefined) yield* call.waitUntil(before.retryAt, `retry of ${step.name}`)
    for (let failed = call.attempts.length;; failed++) {
      yield* call.permission
      yield* Metrics.count(Metrics.stepsStarted)
      const exit = yield* Effect.exit(once(call, step, failed))
      if (Exit.isSuccess(exit)) return succeeded(step, exit.value, failed + 1)
      const { live, text } = Failure.encodeStepCause(exit.cause, step.error, step.name)
      if (failed + 1 >= step.policy.maxAttempts || !retries(step.policy, exit.cause)) {
        return { outcome: "failure", value: text, exit: Exit.failCause(live), attempts: failed + 1 }
      }
      const at = core.clock.now()
      const retryAt = at + delayMs(step.policy, failed + 1)
      yield* call.recordAttempt({ attempt: failed, error: text, at, retryAt })
      yield* Effect.logWarning(
        `${step.name}: attempt ${failed + 1} of ${step.policy.maxAttempts} failed, the next is in ${retryAt - at} ms`,
        Failure.renderFailure(text).detail.message
      )
      yield* call.waitUntil(retryAt, `retry of ${step.name}`)
    }
  })

/** Only typed failures are tried again: a defect is a bug, an interruption somebody's will. */
const retries = (policy: Policy, cause: Cause.Cause<unknown>): boolean => {
  const typed = cause.reasons.filter(Cause.isFailReason)
  if (typed.length === 0 || typed.length < cause.reasons.length) return false
  try {
    return typed.every((reason) => policy.while(reason.error))
  } catch {
    return false
  }
}

const succeeded = (step: Attempted, value: unknown, attempts: number): Completed => {
  try {
    const { live, text } = step.success.record(value, `result of step "${step.name}"`)
    return { outcome: "success", value: text, exit: Exit.succeed(live), attempts }
  } catch (error) {
    // It has run, and cannot be recorded as it is: it fails, on its first run and for good, naming the path.
    const reason = (error as { readonly reason?: unknown }).reason ?? error
    const { live, text } = Failure.encodeStepCause(Cause.fail(reason), undefined, step.name)
    return { outcome: "failure", value: text, exit: Exit.failCause(live), attempts }
  }
}

const once = (call: Call, step: Attempted, failed: number): Effect.Effect<any, any> => {
  const scope = makeAttemptScope(call, failed)
  return Effect.updateContext<any, any, never, never>(
    Effect.withSpan(
      step.timeoutMs === undefined ? step.effect : Effect.timeout(step.effect, step.timeoutMs),
      `step ${step.name}`,
      {
        attributes: { "perdure.step.id": call.stepId, "perdure.step.attempt": failed },
        // It would only ever show this line, and is a tenth of what a step costs.
        captureStackTrace: false
      }
    ),
    (context: Context.Context<never>): Context.Context<never> =>
      context.pipe(
        Context.add(CurrentAttempt, scope),
        Context.add(StepStatus.Current, {
          stepId: call.stepId,
          name: step.name,
          currentAttempt: failed,
          maxAttempts: step.policy.maxAttempts
        }),
        Context.add(References.CurrentLogAnnotations, {
          ...Context.get(context, References.CurrentLogAnnotations),
          stepId: call.stepId,
          step: step.name
        })
      )
  ).pipe(Effect.ensuring(Effect.sync(() => {
    scope.over = true
  })))
}
