/** The undoing of a recorded step: an operation like a step, tried again patiently, recorded whatever its end. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as StepStatus from "../StepStatus.ts"
import { attempt, type Policy } from "./attempts.ts"
import { CurrentAttempt } from "./attemptScope.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import * as Failure from "./failure.ts"
import type { Operation, Rollback } from "./operation.ts"
import { outsideOf } from "./outside.ts"
import type { Run } from "./run.ts"

/** Some twenty minutes in all. A rollback that still fails is recorded as failed, and the next one runs. */
const policy: Policy = {
  maxAttempts: 10,
  intervalMs: 1000,
  factor: 2.5,
  maxIntervalMs: 600_000,
  while: () => true
}

const nothing = Codec.make<undefined>()

export const rollbackOperation = (core: Core, rollback: Rollback): Operation => {
  const name = `rollback of ${rollback.record.name}`
  return {
    kind: "rollback",
    name: rollback.record.name,
    identity: rollback.record.key,
    replay: (record) =>
      record.outcome === "success"
        ? Exit.void
        : Exit.failCause(Failure.decodeStepCause(record.value, undefined, name)),
    perform: (call) =>
      attempt(core, call, {
        name,
        effect: Effect.updateContext(Effect.asVoid(rollback.effect), inPlaceOf(rollback.context)),
        success: nothing,
        error: undefined,
        policy,
        timeoutMs: undefined
      }).pipe(
        Effect.tap((completed) =>
          completed.outcome === "success" ? Effect.void : Effect.logError(`${name} failed for good`, completed.value)
        )
      )
  }
}

/** Remembers, each time a success is delivered, how it is to be undone: with the services that its caller has. */
export const rollbackOf = (
  core: Core,
  run: Run,
  rollback: (result: any) => Effect.Effect<unknown, unknown, any>,
  context: Context.Context<never>
): NonNullable<Operation["onDelivered"]> =>
(record, exit) => {
  if (!Exit.isSuccess(exit)) return
  run.rollbacks.push({
    record,
    effect: Effect.suspend(() => rollback(exit.value) as Effect.Effect<unknown, unknown>),
    context: outsideOf(core.context)(context)
  })
}

/** The services that the step had, with what tells where it runs now. */
const inPlaceOf = (captured: Context.Context<never>) => (current: Context.Context<never>): Context.Context<never> => {
  const span = Context.getOption(current, Tracer.ParentSpan)
  const context = captured.pipe(
    Context.add(StepStatus.Current, Context.get(current, StepStatus.Current)),
    Context.add(CurrentAttempt, Context.get(current, CurrentAttempt)),
    Context.add(References.CurrentLogAnnotations, {
      ...Context.get(captured, References.CurrentLogAnnotations),
      ...Context.get(current, References.CurrentLogAnnotations)
    })
  )
  return (span._tag === "Some" ? Context.add(context, Tracer.ParentSpan, span.value) : context) as Context.Context<
    never
  >
}
