/** Waiting for another workflow's outcome: plainly, or as a recorded operation of a body. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { FailureDetail } from "../StepFailed.ts"
import type { Outcome } from "../Store.ts"
import {
  EngineStopped,
  ResultTimeout,
  WorkflowBlocked,
  WorkflowCancelled,
  WorkflowDeadLettered,
  WorkflowError,
  WorkflowNotFound
} from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import * as Failure from "./failure.ts"
import { lastLook } from "./lastLook.ts"
import { positiveDurationMs } from "./names.ts"
import type { Completed, Operation } from "./operation.ts"
import { failureOf } from "./readable.ts"
import { CurrentRun } from "./run.ts"
import { attemptSync } from "./starting.ts"
import { beside } from "./transactions.ts"
import type { Awaited } from "./waiters.ts"

/** What a waiter gets of an outcome. Throws when the running code cannot read a success. */
export const exitOf = (workflowId: string, definition: Definition, outcome: Outcome): Exit.Exit<any, any> => {
  switch (outcome.status) {
    case "SUCCESS":
      return Exit.succeed(definition.success.decode(outcome.output ?? ""))
    case "ERROR":
      return Exit.fail(
        Failure.decodeWorkflowFailure(outcome.output ?? "", definition.error, { workflowId, name: outcome.name })
      )
    default:
      return Exit.fail(new WorkflowError({ reason: endOf(workflowId, outcome) }))
  }
}

const endOf = (workflowId: string, outcome: Outcome): WorkflowCancelled | WorkflowDeadLettered | WorkflowBlocked => {
  const reason = outcome.reason === null ? {} : JSON.parse(outcome.reason) as Record<string, any>
  const detail = String(reason["detail"] ?? "")
  if (outcome.status === "BLOCKED") {
    const { actual, expected } = reason
    return new WorkflowBlocked({ workflowId, expected: String(expected), actual: String(actual), detail })
  }
  return outcome.status === "DEAD_LETTER"
    ? new WorkflowDeadLettered({ workflowId, attempts: Number(reason["attempts"] ?? 0), detail })
    : new WorkflowCancelled({ workflowId, by: reason["by"] ?? "user", detail })
}

const notFound = (workflowId: string): WorkflowError =>
  new WorkflowError({ reason: new WorkflowNotFound({ workflowId }) })

const tooLate = (workflowId: string): WorkflowError => new WorkflowError({ reason: new ResultTimeout({ workflowId }) })

/** What a body gets, and is recorded. `Late`: its limit was over before. */
export type Recorded = Awaited | { readonly _tag: "Late" }

const exitOfAwaited = (workflowId: string, definition: Definition, awaited: Recorded): Exit.Exit<any, any> => {
  switch (awaited._tag) {
    case "Done":
      return exitOf(workflowId, definition, awaited.outcome)
    case "Unknown":
      return Exit.fail(notFound(workflowId))
    case "Late":
      return Exit.fail(tooLate(workflowId))
    case "Stopped":
      return Exit.fail(new WorkflowError({ reason: new EngineStopped({ detail: "its scope was closed" }) }))
  }
}

/** The failure that was recorded, as data. */
export const failureOfAwaited = (workflowId: string, awaited: Recorded): FailureDetail => {
  if (awaited._tag === "Done" && awaited.outcome.status === "ERROR") return failureOf(awaited.outcome.output ?? "")
  const reason = awaited._tag === "Done"
    ? endOf(workflowId, awaited.outcome)
    : (awaited._tag === "Late" ? tooLate(workflowId) : notFound(workflowId)).reason
  return { tag: reason._tag, message: reason.message, fields: {} }
}

/** Outside a body: the outcome, when it has one. */
export const plainly = (core: Core, workflowId: string, ofBlocked: boolean): Effect.Effect<Awaited, WorkflowError> =>
  beside(core, `the result of "${workflowId}"`, core.waiters.awaiting(workflowId, ofBlocked), "waits")

/** The result of the workflow; in a body, recorded. */
export const result = (core: Core, workflowId: string, definition: Definition): Effect.Effect<any, any> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    return run === undefined
      ? Effect.flatMap(plainly(core, workflowId, true), (awaited) => exitOfAwaited(workflowId, definition, awaited))
      : run.ask(resultOperation(core, workflowId, definition, {}))
  })

/** The same, for so long. In a body the limit is of the record, and counts while no process has the workflow. */
export const resultWithin = (
  core: Core,
  workflowId: string,
  definition: Definition,
  timeout: Duration.Input
): Effect.Effect<any, any> =>
  Effect.flatMap(
    attemptSync(() => positiveDurationMs("timeout", timeout)),
    (ms) =>
      Effect.withFiber((fiber) => {
        const run = fiber.getRef(CurrentRun)
        return run === undefined
          ? Effect.timeoutOrElse(result(core, workflowId, definition), {
            duration: ms,
            orElse: () => Effect.fail(tooLate(workflowId))
          })
          : run.ask(resultOperation(core, workflowId, definition, { due: run.scheduler.time + ms }))
      })
  )

/** Waits for the outcome and records it. `due`: until when, workflow time. */
export const resultOperation = (
  core: Core,
  workflowId: string,
  definition: Definition,
  { due, onAbandoned }: { readonly due?: number; readonly onAbandoned?: () => void }
): Operation => ({
  kind: "result",
  name: `result of ${definition.name}`,
  identity: `result of ${workflowId}`,
  due,
  replay: (record) => exitOfAwaited(workflowId, definition, JSON.parse(record.value) as Recorded),
  perform: (call) =>
    Effect.suspend(() => {
      call.wait({
        until: due,
        awaiting: { workflowId, on: "end" },
        what: `result of ${workflowId}`,
        mayCome: true
      })
      const awaited = Effect.flatMap(core.waiters.awaiting(workflowId, false), (awaited) =>
        // Nothing to record: the next owner waits on.
        awaited._tag === "Stopped" ? Effect.never : Effect.succeed<Recorded>(awaited))
      return Effect.map(
        due === undefined ? awaited : Effect.raceFirst(awaited, lastLook(call, due, outcomeNow(core, workflowId))),
        (recorded): Completed => {
          const exit = exitOfAwaited(workflowId, definition, recorded)
          const outcome = Exit.isSuccess(exit) ? "success" as const : "failure" as const
          return { outcome, value: JSON.stringify(recorded), exit, attempts: 1, childId: workflowId }
        }
      )
    }),
  ...(onAbandoned === undefined ? {} : { onAbandoned })
})

/** What there is when the time is over. */
const outcomeNow = (core: Core, workflowId: string): Effect.Effect<Recorded, unknown> =>
  Effect.map(core.store.outcomes([workflowId]), ({ done, unknown }) => {
    if (unknown.length > 0) return { _tag: "Unknown" }
    return done[0] === undefined ? { _tag: "Late" } : { _tag: "Done", outcome: done[0] }
  })
