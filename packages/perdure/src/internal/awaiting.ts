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
import { positiveDurationMs } from "./names.ts"
import type { Operation } from "./operation.ts"
import { failureOf } from "./readable.ts"
import { CurrentRun } from "./run.ts"
import { attemptSync } from "./starting.ts"
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

const exitOfAwaited = (workflowId: string, definition: Definition, awaited: Awaited): Exit.Exit<any, any> => {
  switch (awaited._tag) {
    case "Done":
      return exitOf(workflowId, definition, awaited.outcome)
    case "Unknown":
      return Exit.fail(notFound(workflowId))
    case "Stopped":
      return Exit.fail(new WorkflowError({ reason: new EngineStopped({ detail: "its scope was closed" }) }))
  }
}

/** The failure that was recorded, as data. */
export const failureOfAwaited = (workflowId: string, awaited: Awaited): FailureDetail => {
  if (awaited._tag === "Done" && awaited.outcome.status === "ERROR") return failureOf(awaited.outcome.output ?? "")
  const reason = awaited._tag === "Done" ? endOf(workflowId, awaited.outcome) : notFound(workflowId).reason
  return { tag: reason._tag, message: reason.message, fields: {} }
}

/** The result of the workflow; in a body, recorded. */
export const result = (core: Core, workflowId: string, definition: Definition): Effect.Effect<any, any> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    return run === undefined
      ? Effect.flatMap(
        core.waiters.awaiting(workflowId, true),
        (awaited) => exitOfAwaited(workflowId, definition, awaited)
      )
      : run.ask(resultOperation(core, workflowId, definition, () => {}))
  })

export const resultWithin = (
  core: Core,
  workflowId: string,
  definition: Definition,
  timeout: Duration.Input
): Effect.Effect<any, any> =>
  Effect.flatMap(
    attemptSync(() => positiveDurationMs("timeout", timeout)),
    (ms) =>
      Effect.timeoutOrElse(result(core, workflowId, definition), {
        duration: ms,
        orElse: () => Effect.fail(new WorkflowError({ reason: new ResultTimeout({ workflowId }) }))
      })
  )

/** Waits for the outcome and records it. */
export const resultOperation = (
  core: Core,
  workflowId: string,
  definition: Definition,
  onAbandoned: () => void
): Operation => ({
  kind: "result",
  name: `result of ${definition.name}`,
  identity: `result of ${workflowId}`,
  replay: (record) => exitOfAwaited(workflowId, definition, JSON.parse(record.value) as Awaited),
  perform: (call) =>
    Effect.suspend(() => {
      call.wait({
        until: undefined,
        awaiting: { workflowId, on: "end" },
        what: `result of ${workflowId}`,
        mayCome: true
      })
      return Effect.flatMap(core.waiters.awaiting(workflowId, false), (awaited) => {
        // Nothing to record: the next owner waits on.
        if (awaited._tag === "Stopped") return Effect.never
        const exit = exitOfAwaited(workflowId, definition, awaited)
        const outcome = Exit.isSuccess(exit) ? "success" as const : "failure" as const
        return Effect.succeed({ outcome, value: JSON.stringify(awaited), exit, attempts: 1, childId: workflowId })
      })
    }),
  onAbandoned
})
