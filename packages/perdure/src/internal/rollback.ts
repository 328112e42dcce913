/** The undoing of a recorded step: an operation like a step, tried again patiently, recorded whatever its end. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { attempt, type Policy } from "./attempts.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import * as Failure from "./failure.ts"
import type { Operation, Rollback } from "./operation.ts"

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
  const name = `rollback ${rollback.record.name}`
  return {
    kind: "rollback",
    name,
    identity: rollback.record.key,
    replay: (record) =>
      record.outcome === "success"
        ? Exit.void
        : Exit.failCause(Failure.decodeStepCause(record.value, undefined, name)),
    perform: (call) =>
      attempt(core, call, {
        name,
        effect: Effect.provideContext(Effect.asVoid(rollback.effect), rollback.context),
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
